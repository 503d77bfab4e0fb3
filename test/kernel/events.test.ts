import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { KernelObject, KernelObjectKind } from '../../src/contracts/kernel-objects.js'
import { handlerOf } from '../../src/kernel/handlers.js'
import { KernelWatch, type KernelEvent, type WatchOptions } from '../../src/kernel/events/index.js'
import { needs, needsPrivileges } from '../tools.js'
import { openSession } from './session.js'
import { eventThread } from './events-thread.js'

const ip = (...args: string[]): string => execFileSync('ip', args, { encoding: 'utf8', stdio: 'pipe' })
/** Many commands of ip(8) in one process. */
const batch = (lines: string[], ...args: string[]): string =>
  execFileSync('ip', [...args, '-batch', '-'], { input: lines.join('\n') + '\n', encoding: 'utf8' })

let thread: ReturnType<typeof eventThread>
let events: KernelEvent[]
let watches: KernelWatch[]

async function watch(options: WatchOptions): Promise<KernelWatch> {
  const opened = await KernelWatch.open(thread, options, (batchOfEvents) => events.push(...batchOfEvents))
  watches.push(opened)
  return opened
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; !condition() && i < 500; i++) await new Promise((resolve) => setTimeout(resolve, 10))
  expect(condition(), JSON.stringify(events.slice(-5))).toBe(true)
}

/** Without what a listing asks further questions for. */
function essential(object: KernelObject): unknown {
  return object.kind === 'link' && object.type === 'veth'
    ? { ...object, peer: { at: object.peer.at, name: object.peer.name, index: object.peer.index } }
    : object
}

const links = (action: string): string[] =>
  events.flatMap((event) => (event.kind === 'link' && event.action === action ? [event.link ?? '?'] : []))

const cannot = needsPrivileges() ?? needs('ip', 'nft')
describe.skipIf(cannot)('kernel events', () => {
  beforeEach(() => {
    thread = eventThread()
    events = []
    watches = []
  })
  afterEach(() => {
    for (const each of watches) each.close()
    thread[Symbol.dispose]()
  })

  it('of one link that come together are the first and the last, if nothing more is wanted', async () => {
    await watch({ groups: ['link'], latest: true })
    const changes = Array.from({ length: 40 }, (_, i) => `link set evlast0 mtu ${1400 + i}`)
    batch(['link add evlast0 type bridge', ...changes, 'link delete evlast0', 'link add evlast0 type bridge', 'link set evlast0 mtu 1300'])
    const mtus = (): unknown[] =>
      events.flatMap((event) =>
        event.kind === 'link' && event.link === 'evlast0' && event.object?.kind === 'link' ? [event.object.mtu] : [],
      )
    await until(() => mtus().at(-1) === 1300)
    expect(links('removed')).toEqual(['evlast0'])
    expect(mtus().length).toBeLessThan(40)
    expect(mtus()).toContain(1439)
    ip('link', 'delete', 'evlast0')
  })

  it('tell of links, addresses, routes, neighbours and rules, made and removed', async () => {
    await watch({ groups: ['link', 'address', 'route', 'neighbour', 'policy-rule'] })
    batch([
      'link add evbr0 type bridge',
      'link set evbr0 up',
      'address add 10.77.0.1/24 dev evbr0',
      'route add 10.78.0.0/16 via 10.77.0.9',
      'neigh add 10.77.0.9 lladdr 02:00:00:00:00:09 dev evbr0',
      'rule add from 10.77.0.0/24 table 100',
      'rule del from 10.77.0.0/24 table 100',
      'neigh del 10.77.0.9 dev evbr0',
      'route del 10.78.0.0/16',
      'address del 10.77.0.1/24 dev evbr0',
      'link del evbr0',
    ])
    await until(() => links('removed').includes('evbr0'))
    const seen = new Set(
      events.map((event) => ('action' in event ? `${event.kind} ${event.action} ${'link' in event ? event.link : ''}` : event.kind)),
    )
    for (const kind of ['link', 'address', 'route', 'neighbour']) {
      expect(seen).toContain(`${kind} added evbr0`)
      expect(seen).toContain(`${kind} removed evbr0`)
    }
    expect(seen).toContain('policy-rule added ')
    expect(seen).toContain('policy-rule removed ')
    expect(events.every((event) => 'at' in event && event.at === 'host')).toBe(true)
  })

  it('carry objects as a listing shows them', async () => {
    await watch({ groups: ['link', 'address', 'route', 'neighbour', 'policy-rule'] })
    batch([
      'link add evbr6 type bridge',
      'link add evv6 mtu 1400 master evbr6 type veth peer name evw6',
      'link set evw6 up',
      'link set evv6 up',
      'address add 10.77.6.1/24 dev evw6',
      'address add fd77::1/64 dev evw6 nodad',
      'route add 10.78.6.0/24 via 10.77.6.9 metric 7',
      'route add 10.79.6.0/24 nexthop via 10.77.6.9 weight 2 nexthop via 10.77.6.8',
      'neigh add 10.77.6.9 lladdr 02:00:00:00:00:09 dev evw6',
      'rule add from 10.77.6.0/24 fwmark 6 table 106 priority 606',
    ])
    execFileSync('bridge', ['fdb', 'add', '02:00:00:00:00:16', 'dev', 'evv6', 'master', 'static'])
    execFileSync('bridge', ['link', 'set', 'dev', 'evv6', 'hairpin', 'on'])
    await until(() => events.some(({ kind }) => kind === 'fdb') && events.some(({ kind }) => kind === 'bridge-port'))
    await new Promise((resolve) => setTimeout(resolve, 200))
    using open = openSession()
    const last = (kind: string, matches: (object: Record<string, unknown>) => boolean): unknown =>
      events
        .filter((event) => event.kind === kind && 'object' in event && matches(event.object as unknown as Record<string, unknown>))
        .at(-1)
    for (const [kind, matches] of [
      ['link', ({ name }) => name === 'evbr6'],
      ['link', ({ name }) => name === 'evv6'],
      ['link', ({ name }) => name === 'evw6'],
      ['bridge-port', ({ link }) => link === 'evv6'],
      ['address', ({ address }) => address === '10.77.6.1/24'],
      ['address', ({ address }) => address === 'fd77::1/64'],
      ['route', ({ destination }) => destination === '10.78.6.0/24'],
      ['route', ({ destination }) => destination === '10.79.6.0/24'],
      ['neighbour', ({ address }) => address === '10.77.6.9'],
      ['fdb', ({ mac, vlan }) => mac === '02:00:00:00:00:16' && vlan === undefined],
      ['policy-rule', ({ priority }) => priority === 606],
    ] as [KernelObjectKind, (object: Record<string, unknown>) => boolean][]) {
      const listed = handlerOf(kind).list!('host', open.session).find((object) => matches(object as unknown as Record<string, unknown>))
      expect(listed, kind).toBeDefined()
      expect(last(kind, matches), kind).toMatchObject({ action: 'added', at: 'host', object: essential(listed!) })
    }
    batch(['rule del priority 606', 'link del evv6', 'link del evbr6'])
  })

  it('tell of 1,000 changes, each once and in order', async () => {
    await watch({ groups: ['link'] })
    ip('link', 'add', 'evbr1', 'up', 'type', 'bridge')
    const aliases = Array.from({ length: 1000 }, (_, i) => `link set evbr1 alias n${i}`)
    batch(aliases)
    batch(Array.from({ length: 100 }, (_, i) => `link add evv${i} type veth peer name evw${i}`))
    ip('link', 'del', 'evbr1')
    await until(() => links('removed').includes('evbr1'))
    expect(links('added').filter((name) => name === 'evbr1').length).toBeGreaterThanOrEqual(1001)
    expect(new Set(links('added').filter((name) => name.startsWith('evv'))).size).toBe(100)
    expect(events.some(({ kind }) => kind === 'overrun')).toBe(false)
    batch(Array.from({ length: 100 }, (_, i) => `link del evv${i}`))
    await until(() => links('removed').filter((name) => /^ev[vw]/.test(name)).length === 200)
  })

  it('tell when some were lost, and go on', async () => {
    await watch({ groups: ['link'], bufferBytes: 4096 })
    ip('link', 'add', 'evbr2', 'up', 'type', 'bridge')
    batch(Array.from({ length: 300 }, (_, i) => `link set evbr2 alias n${i}`))
    await until(() => events.some(({ kind }) => kind === 'overrun'))
    expect(links('added').length).toBeLessThan(300)
    events = []
    ip('link', 'del', 'evbr2')
    await until(() => links('removed').includes('evbr2'))
  })

  it('tell which namespace, and when it is gone', async () => {
    const all = await watch({ groups: ['link', 'address'], namespaces: 'all' })
    for (const name of ['ev-a', 'ev-b']) ip('netns', 'add', name)
    await all.follow('/run/netns/ev-a')
    await all.follow('/run/netns/ev-b')
    ip('-n', 'ev-a', 'link', 'add', 'evx0', 'type', 'bridge')
    ip('-n', 'ev-b', 'link', 'add', 'evx0', 'type', 'bridge')
    ip('-n', 'ev-b', 'address', 'add', '10.79.0.1/24', 'dev', 'evx0')
    ip('link', 'add', 'evbr3', 'type', 'bridge')
    ip('link', 'del', 'evbr3')
    await until(() => links('removed').includes('evbr3'))
    const where = (kind: string, link: string): Set<string> =>
      new Set(events.flatMap((event) => (event.kind === kind && 'link' in event && event.link === link ? [event.at] : [])))
    expect(where('link', 'evx0')).toEqual(new Set(['/run/netns/ev-a', '/run/netns/ev-b']))
    expect(where('address', 'evx0')).toEqual(new Set(['/run/netns/ev-b']))
    expect(where('link', 'evbr3')).toEqual(new Set(['host']))
    ip('netns', 'del', 'ev-a')
    await until(() => events.some((event) => event.kind === 'namespace' && event.at === '/run/netns/ev-a'))
    await all.unfollow('/run/netns/ev-b')
    events = []
    ip('-n', 'ev-b', 'link', 'set', 'evx0', 'up')
    await until(() => links('added').length > 0)
    expect(events.every((event) => 'at' in event && event.at.startsWith('nsid:'))).toBe(true)
    ip('netns', 'del', 'ev-b')
  })

  it('do not tell of other namespaces unless asked', async () => {
    await watch({ groups: ['link'] })
    ip('netns', 'add', 'ev-c')
    await thread.followNamespace('/run/netns/ev-c')
    ip('-n', 'ev-c', 'link', 'add', 'evx1', 'type', 'bridge')
    ip('netns', 'del', 'ev-c')
    ip('link', 'add', 'evbr4', 'type', 'bridge')
    ip('link', 'del', 'evbr4')
    await until(() => links('removed').includes('evbr4'))
    expect(links('added')).not.toContain('evx1')
  })

  it('tell of every commit to nftables, and by whom', async () => {
    await watch({ groups: ['nftables'] })
    execFileSync('nft', ['add', 'table', 'inet', 'evt'])
    execFileSync('nft', ['delete', 'table', 'inet', 'evt'])
    await until(() => events.length >= 2)
    expect(events.map(({ kind }) => kind)).toEqual(['nftables', 'nftables'])
    const [first, second] = events as Extract<KernelEvent, { kind: 'nftables' }>[]
    expect(first).toMatchObject({ at: 'host', program: 'nft', pid: expect.any(Number) })
    expect(second!.generation).toBe(first!.generation + 1)
  })

  it('tell only of what was asked, and know the names of links all the same', async () => {
    await watch({ groups: ['address'] })
    batch(['link add evbr7 type bridge', 'address add 10.80.0.1/24 dev evbr7', 'link del evbr7'])
    await until(() => events.length >= 2)
    expect(events).toEqual(['added', 'removed'].map((action) => expect.objectContaining({ kind: 'address', action, link: 'evbr7' })))
  })

  it('stop with the signal, and leave no descriptor', async () => {
    const before = readdirSync('/proc/self/fd').length
    const abort = new AbortController()
    await watch({ groups: ['link', 'nftables'], signal: abort.signal })
    expect(readdirSync('/proc/self/fd').length).toBeGreaterThanOrEqual(before + 4)
    abort.abort()
    ip('link', 'add', 'evbr5', 'type', 'bridge')
    ip('link', 'del', 'evbr5')
    await until(() => readdirSync('/proc/self/fd').length <= before)
    expect(events).toEqual([])
    await expect(watch({ groups: ['link'], signal: abort.signal })).rejects.toMatchObject({ code: 'ERR_CNM_ABORTED' })
  })

  it('refuse what cannot be watched', async () => {
    await expect(watch({ groups: [] })).rejects.toMatchObject({ code: 'ERR_CNM_INVALID_ARGUMENT', field: 'groups' })
    await expect(watch({ groups: ['weather' as 'link'] })).rejects.toMatchObject({ code: 'ERR_CNM_INVALID_ARGUMENT', field: 'groups' })
  })
})
