import { execFile, execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Kernel, type KernelEvent, type KernelWatch } from 'libcnm/kernel'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { leftBehind, takeCensus } from '../census.js'
import { needs, needsPrivileges } from '../tools.js'

const program = fileURLToPath(new URL('events-program.mjs', import.meta.url))
const start = promisify(execFile)

/** The VM emulates its processor. */
const LIMIT = process.env.VM_RUN === '1' ? 300_000 : 20_000

interface Ending {
  code: number | null
  signal: string | null
  stdout: string
  stderr: string
}

async function run(...args: string[]): Promise<Ending> {
  try {
    const { stdout, stderr } = await start(process.execPath, [program, ...args], { timeout: LIMIT })
    return { code: 0, signal: null, stdout, stderr }
  } catch (error) {
    const { code = null, signal = null, stdout = '', stderr = '' } = error as Partial<Ending>
    return { code, signal, stdout, stderr }
  }
}

const EXPECTED = {
  exit: { code: 7, signal: null },
  throw: { code: 1, signal: null },
  signal: { code: null, signal: 'SIGTERM' },
  end: { code: 0, signal: null },
  close: { code: 0, signal: null },
} as const

describe.skipIf(needsPrivileges() ?? needs('ip', 'unshare'))('a watch beside the kernel thread', () => {
  let kernel: Kernel
  let watch: KernelWatch
  let events: KernelEvent[]
  let before: Awaited<ReturnType<typeof takeCensus>>
  beforeEach(async () => {
    before = await takeCensus()
    kernel = await Kernel.open()
    events = []
  })
  afterEach(async () => {
    watch?.close()
    await kernel.close()
    expect(await leftBehind(before)).toEqual([])
  })
  const until = async (condition: () => boolean): Promise<void> => {
    for (let i = 0; !condition() && i < 500; i++) await new Promise((resolve) => setTimeout(resolve, 10))
    expect(condition(), JSON.stringify(events.slice(-5))).toBe(true)
  }

  it('sees what its own transactions and other programs do, in host and sandbox', async () => {
    watch = await kernel.watch({ groups: ['link', 'address'], namespaces: 'all' }, (batch) => events.push(...batch))
    const at = '/run/netns/ek-a'
    const link = { kind: 'link', type: 'veth', at: 'host', name: 'ekv0', peer: { at, name: 'eth0' } } as const
    await kernel.transaction([{ do: 'create', object: { kind: 'namespace', at } }])
    await watch.follow(at)
    await kernel.transaction([
      { do: 'create', object: link },
      { do: 'create', object: { kind: 'address', at, link: 'eth0', address: '10.92.0.1/24' } },
    ])
    execFileSync('ip', ['link', 'set', 'ekv0', 'mtu', '1300'])
    await until(() =>
      events.some((event) => event.kind === 'link' && event.at === 'host' && event.object?.kind === 'link' && event.object.mtu === 1300),
    )
    expect(events).toContainEqual({
      kind: 'address',
      action: 'added',
      at,
      link: 'eth0',
      object: expect.objectContaining({ kind: 'address', at, link: 'eth0', address: '10.92.0.1/24' }),
    })
    await kernel.transaction([
      { do: 'delete', object: link },
      { do: 'delete', object: { kind: 'namespace', at } },
    ])
    await until(() => events.some((event) => event.kind === 'namespace' && event.at === at))
    expect(events.some((event) => event.kind === 'link' && event.action === 'removed' && event.link === 'ekv0')).toBe(true)
  })

  it('reports an overrun without harm to the process, and goes on', async () => {
    watch = await kernel.watch({ groups: ['link'], bufferBytes: 16 * 1024 }, (batch) => events.push(...batch))
    execFileSync('ip', ['link', 'add', 'ekb0', 'up', 'type', 'bridge'])
    const lines = Array.from({ length: 3_000 }, (_, i) => `link set ekb0 mtu ${1000 + (i % 400)}`)
    execFileSync('ip', ['-batch', '-'], { input: lines.join('\n') })
    await until(() => events.some(({ kind }) => kind === 'overrun'))
    execFileSync('ip', ['link', 'del', 'ekb0'])
    await until(() => events.some((event) => event.kind === 'link' && event.action === 'removed'))
    expect(events.some(({ kind }) => kind === 'failed')).toBe(false)
  })

  it('fails with an event when the kernel is closed under it', async () => {
    watch = await kernel.watch({ groups: ['link'] }, (batch) => events.push(...batch))
    await kernel.close()
    execFileSync('ip', ['link', 'add', 'ekb1', 'type', 'bridge'])
    execFileSync('ip', ['link', 'del', 'ekb1'])
    await until(() => events.some(({ kind }) => kind === 'failed'))
    expect(events).toEqual([{ kind: 'failed', error: expect.objectContaining({ code: 'ERR_CNM_CLOSED' }) }])
  })

  it('answers questions about capabilities and connections', async () => {
    const { features } = await kernel.probe(['network-namespaces', 'conntrack'])
    expect(features['network-namespaces']).toEqual({ available: true })
    if (features.conntrack.available) expect(await kernel.flows.list('host', { family: 4 })).toEqual([])
  })
})

describe.skipIf(needsPrivileges())('a program that watches', () => {
  it('ends by itself when its work is done, with the watch open', async () => {
    expect(await run('nothing', '0')).toMatchObject({ code: 0, signal: null, stdout: expect.stringContaining('saw') })
  })

  it.each(Object.keys(EXPECTED) as (keyof typeof EXPECTED)[])(
    'ends by %s at any moment without a crash',
    { timeout: 4 * LIMIT },
    async (way) => {
      const endings = await Promise.all([0, 3, 25, 90].map(async (delay) => ({ delay, ...(await run(way, String(delay))) })))
      for (const { delay, code, signal, stderr } of endings) {
        expect({ delay, code, signal, stderr: way === 'throw' ? '' : stderr }).toEqual({ delay, ...EXPECTED[way], stderr: '' })
      }
    },
  )
})
