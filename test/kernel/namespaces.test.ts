import { execFileSync, spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { Kernel } from 'libcnm/kernel'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Operation } from '../../src/contracts/operations.js'
import { leftBehind, takeCensus, type Census } from '../census.js'
import { needs, needsPrivileges } from '../tools.js'

const make = (at: string, replace?: boolean): Operation => ({ do: 'create', object: { kind: 'namespace', at }, replace })
const drop = (at: string, missing?: 'ignore'): Operation => ({ do: 'delete', object: { kind: 'namespace', at }, missing })
const forward = (at: string, value: string): Operation => ({
  do: 'create',
  object: { kind: 'sysctl', at, path: 'net/ipv4/ip_forward', value },
})
const code = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => (error as { code?: unknown }).code,
  )
const inside = (path: string, ...command: string[]): string => execFileSync('nsenter', [`--net=${path}`, ...command], { encoding: 'utf8' })

describe.skipIf(needsPrivileges() ?? needs('ip', 'nsenter'))('network namespaces', () => {
  let kernel: Kernel
  let before: Census
  beforeAll(async () => {
    kernel = await Kernel.open()
    // The first named namespace makes /run/netns a shared mount, which stays, as with ip-netns(8).
    await kernel.transaction([make('/run/netns/first')])
    await kernel.transaction([drop('/run/netns/first')])
    before = await takeCensus()
  })
  afterAll(async () => {
    expect(await leftBehind(before)).toEqual([])
    await kernel.close()
  })

  it('are made where ip-netns finds them, and gone for it after', async () => {
    await kernel.transaction([make('/run/netns/blue')])
    expect(execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' })).toContain('blue')
    expect(inside('/run/netns/blue', 'ip', '-o', 'link')).toMatch(/^1: lo: /)
    expect(statSync('/run/netns/blue').ino).not.toBe(statSync('/proc/self/ns/net').ino)
    await kernel.transaction([drop('/run/netns/blue')])
    expect(execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' })).not.toContain('blue')
    expect(existsSync('/run/netns/blue')).toBe(false)
  })

  it('are shared with mount namespaces made earlier, so that a name removed here goes there too', async () => {
    // The topmost: the machine may have had one before, which is hidden now.
    const folder = (await kernel.mounts()).filter(({ target }) => target === '/run/netns').at(-1)
    expect(folder?.propagation.some((field) => field.startsWith('shared:'))).toBe(true)
  })

  it('get the folders above them', async () => {
    await kernel.transaction([make('/run/deep/er/ns')])
    expect(inside('/run/deep/er/ns', 'ip', '-o', 'link')).toContain('lo')
    await kernel.transaction([drop('/run/deep/er/ns')])
    rmSync('/run/deep', { recursive: true })
  })

  it('are found by path, by process and by descriptor', async () => {
    await kernel.transaction([make('/run/netns/found'), forward('/run/netns/found', '1')])
    const child = spawn('nsenter', ['--net=/run/netns/found', 'sleep', '60'])
    const fd = openSync('/run/netns/found', 'r')
    try {
      const { ino } = statSync('/run/netns/found')
      for (let tries = 0; statSync(`/proc/${child.pid}/ns/net`).ino !== ino && tries < 500; tries++)
        await new Promise((resolve) => setTimeout(resolve, 10))
      for (const at of ['/run/netns/found', `pid:${child.pid}`, `fd:${fd}`])
        expect(await kernel.sysctl.get(at, 'net/ipv4/ip_forward')).toBe('1')
      await kernel.transaction([forward(`pid:${child.pid}`, '0')])
      expect(inside('/run/netns/found', 'cat', '/proc/sys/net/ipv4/ip_forward')).toBe('0\n')
    } finally {
      closeSync(fd)
      child.kill()
      await new Promise((resolve) => child.on('exit', resolve))
    }
    await kernel.transaction([drop('/run/netns/found')])
  })

  it('must be network namespaces', async () => {
    for (const at of ['/run/nowhere', '/etc/passwd', '/proc/self/ns/mnt', 'pid:4194305', 'fd:99999', '/dev/null']) {
      expect(await code(kernel.checkNamespace(at)), at).toBe('ERR_CNM_NAMESPACE_NOT_FOUND')
    }
    for (const at of ['', 'blue', 'pid:x', 'pid:-1', '/run\0'])
      expect(await code(kernel.checkNamespace(at)), at).toBe('ERR_CNM_INVALID_ARGUMENT')
    await kernel.checkNamespace('/proc/self/ns/net')
  })

  it('are not made twice, nor dropped when they are not there', async () => {
    await kernel.transaction([make('/run/netns/once'), forward('/run/netns/once', '1')])
    const { ino } = statSync('/run/netns/once')
    expect(await code(kernel.transaction([make('/run/netns/once')]))).toBe('ERR_CNM_NAMESPACE_EXISTS')
    await kernel.transaction([make('/run/netns/once', true)])
    expect(statSync('/run/netns/once').ino).toBe(ino)
    await kernel.transaction([drop('/run/netns/once')])
    expect(await code(kernel.transaction([drop('/run/netns/once')]))).toBe('ERR_CNM_NAMESPACE_NOT_FOUND')
    await kernel.transaction([drop('/run/netns/once', 'ignore')])
    for (const at of ['host', 'pid:1', 'relative', '/run/../run/netns/x'])
      expect(await code(kernel.transaction([make(at)])), at).toBe('ERR_CNM_INVALID_ARGUMENT')
  })

  it('take the file that somebody made for one and did not live to use, and remove it', async () => {
    writeFileSync('/run/netns/stale', '')
    expect(await code(kernel.transaction([make('/run/netns/stale')]))).toBe('ERR_CNM_NAMESPACE_EXISTS')
    await kernel.transaction([make('/run/netns/stale', true)])
    await kernel.checkNamespace('/run/netns/stale')
    await kernel.transaction([drop('/run/netns/stale')])
    writeFileSync('/run/netns/stale', '')
    await kernel.transaction([drop('/run/netns/stale', 'ignore')])
    expect(existsSync('/run/netns/stale')).toBe(false)
    writeFileSync('/run/netns/stale', 'not ours')
    expect(await code(kernel.transaction([make('/run/netns/stale', true)]))).toBe('ERR_CNM_NAMESPACE_EXISTS')
    rmSync('/run/netns/stale')
  })

  it('are another one after being dropped and made in one transaction, and the old one again when that fails', async () => {
    await kernel.transaction([make('/run/netns/again'), forward('/run/netns/again', '1')])
    const { ino } = statSync('/run/netns/again')
    const nothing: Operation = { do: 'delete', object: { kind: 'namespace', at: '/run/netns/nothing' } }
    expect(
      await code(kernel.transaction([drop('/run/netns/again'), make('/run/netns/again'), forward('/run/netns/again', '0'), nothing])),
    ).toBe('ERR_CNM_NAMESPACE_NOT_FOUND')
    expect(statSync('/run/netns/again').ino).toBe(ino)
    expect(await kernel.sysctl.get('/run/netns/again', 'net/ipv4/ip_forward')).toBe('1')
    await kernel.transaction([drop('/run/netns/again'), make('/run/netns/again')])
    expect(statSync('/run/netns/again').ino).not.toBe(ino)
    await kernel.transaction([drop('/run/netns/again')])
  })

  it('are no different after a transaction that failed inside them', async () => {
    await kernel.transaction([make('/run/netns/same')])
    const { ino } = statSync('/proc/self/ns/net')
    expect(await code(kernel.transaction([forward('/run/netns/same', 'nonsense')]))).toBe('ERR_CNM_KERNEL')
    // Still at home: what is asked about the host is answered by the host.
    await kernel.transaction([forward('/run/netns/same', '1'), forward('host', '0')])
    expect(await kernel.sysctl.get('host', 'net/ipv4/ip_forward')).toBe('0')
    expect(await kernel.sysctl.get(`pid:${process.pid}`, 'net/ipv4/ip_forward')).toBe('0')
    expect(statSync('/proc/self/ns/net').ino).toBe(ino)
    await kernel.transaction([drop('/run/netns/same')])
  })
})
