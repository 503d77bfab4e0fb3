import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readlinkSync, statSync } from 'node:fs'
import { promisify } from 'node:util'
import type { Worker } from 'node:worker_threads'
import { Kernel } from 'libcnm/kernel'
import { describe, expect, it } from 'vitest'
import type { Operation } from '../../src/contracts/operations.js'
import { leftBehind, takeCensus } from '../census.js'
import { needsPrivileges } from '../tools.js'

const FORWARD = 'net/ipv4/ip_forward'
const set = (value: string): Operation => ({ do: 'create', object: { kind: 'sysctl', at: 'host', path: FORWARD, value } })
const make = (at: string): Operation => ({ do: 'create', object: { kind: 'namespace', at } })
const drop = (at: string): Operation => ({ do: 'delete', object: { kind: 'namespace', at } })
const code = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => (error as { code?: unknown }).code,
  )

describe.skipIf(needsPrivileges())('the kernel thread', () => {
  it('closes once, however often it is asked to, and answers what came before', async () => {
    const before = await takeCensus()
    const kernel = await Kernel.open()
    const earlier = kernel.sysctl.get('host', FORWARD)
    await Promise.all([kernel.close(), kernel.close(), kernel[Symbol.asyncDispose]()])
    expect(await earlier).toMatch(/^[01]$/)
    await kernel.close()
    expect(await code(kernel.mounts())).toBe('ERR_CNM_CLOSED')
    expect(await leftBehind(before)).toEqual([])
  })

  it('lets the process end by itself', async () => {
    const script = `
      import { Kernel } from 'libcnm/kernel'
      const kernel = await Kernel.open()
      await kernel.mounts()
      console.log('done')`
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { timeout: 10_000 })
    expect(stdout).toBe('done\n')
  })

  it('keeps the process alive while it owes an answer', async () => {
    const script = `
      import { Kernel } from 'libcnm/kernel'
      Kernel.open().then((kernel) => kernel.mounts()).then(() => console.log('answered'))`
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { timeout: 10_000 })
    expect(stdout).toBe('answered\n')
  })

  it('does not begin what was aborted before', async () => {
    await using kernel = await Kernel.open()
    const before = await kernel.sysctl.get('host', FORWARD)
    const other = before === '0' ? '1' : '0'
    expect(await code(kernel.transaction([set(other)], { signal: AbortSignal.abort() }))).toBe('ERR_CNM_ABORTED')

    const controller = new AbortController()
    const busy = kernel.transaction(Array.from({ length: 20 }, (_, i) => make(`/run/netns/busy-${i}`)))
    const waiting = code(kernel.transaction([set(other)], { signal: controller.signal }))
    controller.abort(new Error('changed my mind'))
    expect(await waiting).toBe('ERR_CNM_ABORTED')
    await busy
    expect(await kernel.sysctl.get('host', FORWARD)).toBe(before)
    await kernel.transaction(Array.from({ length: 20 }, (_, i) => drop(`/run/netns/busy-${i}`)))
  })

  it('finishes what has begun, whatever is aborted then', async () => {
    await using kernel = await Kernel.open()
    const controller = new AbortController()
    await kernel.transaction([make('/run/netns/begun')], { signal: controller.signal })
    controller.abort()
    await kernel.checkNamespace('/run/netns/begun')
    await kernel.transaction([drop('/run/netns/begun')])
  })

  it('fails what is asked of it after its death, and what it owed', async () => {
    const created = once(process, 'worker') as Promise<[Worker]>
    const kernel = await Kernel.open()
    const [worker] = await created
    // A defect in the thread, as it were: a message that cannot be understood.
    worker.postMessage('not a request')
    const owed = await kernel.mounts().catch((error: unknown) => error)
    expect(owed).toMatchObject({ code: 'ERR_CNM_THREAD_DIED', cause: { message: 'defect in the kernel thread' } })
    expect(await code(kernel.transaction([make('/run/netns/never')]))).toBe('ERR_CNM_THREAD_DIED')
    expect(existsSync('/run/netns/never')).toBe(false)
    await kernel.close()
  })

  it('is a stranger to another one in the same process', async () => {
    const first = await Kernel.open()
    await using second = await Kernel.open()
    await Promise.all([first.transaction([make('/run/netns/one')]), second.transaction([make('/run/netns/two')])])
    await first.close()
    await second.transaction([drop('/run/netns/one'), drop('/run/netns/two')])
    expect(readdirSync('/run/netns').filter((name) => name === 'one' || name === 'two')).toEqual([])
  })

  it('leaves the program in its own namespace', async () => {
    const home = readlinkSync('/proc/self/ns/net')
    await using kernel = await Kernel.open()
    await kernel.transaction([make('/run/netns/away')])
    await kernel.sysctl.set('/run/netns/away', FORWARD, '1')
    expect(readlinkSync('/proc/self/ns/net')).toBe(home)
    const away = statSync('/run/netns/away').ino
    for (const task of readdirSync('/proc/self/task')) expect(statSync(`/proc/self/task/${task}/ns/net`).ino).not.toBe(away)
    await kernel.transaction([drop('/run/netns/away')])
  })
})
