import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type {
  FirewallChain,
  FirewallElement,
  FirewallObject,
  FirewallRule,
  FirewallSet,
  SetShape,
  Statement,
} from '../../src/contracts/firewall.js'
import { NETLINK_NETFILTER } from '../../src/kernel/handler.js'
import { firewallHandlers, readCounters } from '../../src/kernel/nftables/index.js'
import { leftBehind, takeCensus, type Census } from '../census.js'
import { needs, needsPrivileges } from '../tools.js'
import { change, create, makeNamespace, remove, removeNamespace, run } from './nftables-world.js'
import { openSession, type OpenSession } from './session.js'

const cannot = needsPrivileges() ?? needs('ip', 'nft', 'nsenter', 'ping')

/** client 10.1.0.2 -- 10.1.0.1 router 10.2.0.1 -- 10.2.0.2 server */
let client: string
let router: string
let server: string
let open: OpenSession
const children: ChildProcess[] = []
/** Milliseconds until a packet counts as lost; the emulated machine is slow. */
const PATIENCE = process.env.VM_RUN === '1' ? 30_000 : 1500
let before: Census

beforeAll(async () => {
  if (cannot !== undefined) return
  before = await takeCensus()
  open = openSession()
  ;[client, router, server] = [makeNamespace('nft-client'), makeNamespace('nft-router'), makeNamespace('nft-server')]
  connect(client, 'c0', '10.1.0.2/24', router, 'r0', '10.1.0.1/24')
  connect(server, 's0', '10.2.0.2/24', router, 'r1', '10.2.0.1/24')
  run(client, 'ip', 'route', 'add', 'default', 'via', '10.1.0.1')
  run(server, 'ip', 'route', 'add', 'default', 'via', '10.2.0.1')
  run(router, 'sh', '-c', 'echo 1 >/proc/sys/net/ipv4/ip_forward')
  for (const at of [client, router, server]) run(at, 'ip', 'link', 'set', 'lo', 'up')
  // Tells each caller which port it reached and whom it looks like.
  await serve(
    server,
    `for (const port of [80, 81, 82, 83]) require('node:net').createServer((socket) => socket.on('error', () => {}).end(port + ' ' + socket.remoteAddress)).listen(port, '0.0.0.0', ready)`,
    4,
  )
})

afterEach(() => {
  if (cannot === undefined) for (const at of [client, router, server]) run(at, 'nft', 'flush', 'ruleset')
})

afterAll(async () => {
  if (cannot !== undefined) return
  for (const child of children) {
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  open[Symbol.dispose]()
  for (const at of [client, router, server]) removeNamespace(at)
  expect(await leftBehind(before)).toEqual([])
})

function connect(a: string, linkA: string, addressA: string, b: string, linkB: string, addressB: string): void {
  run(a, 'ip', 'link', 'add', linkA, 'type', 'veth', 'peer', 'name', linkB, 'netns', b.split('/').at(-1)!)
  for (const [at, link, address] of [
    [a, linkA, addressA],
    [b, linkB, addressB],
  ] as const) {
    run(at, 'ip', 'address', 'add', address, 'dev', link)
    run(at, 'ip', 'link', 'set', link, 'up')
  }
}

/** A program that stays; it calls `ready` as often as given. */
async function serve(at: string, body: string, times = 1): Promise<ChildProcess> {
  const script = `let left = ${times}; const ready = () => { if (--left === 0) console.log('ready') }; ${body}`
  const child = spawn('nsenter', [`--net=${at}`, process.execPath, '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  await once(child.stdout, 'data')
  return child
}

const node = async (at: string, script: string): Promise<string> =>
  (await promisify(execFile)('nsenter', [`--net=${at}`, process.execPath, '-e', script])).stdout.trim()

/** What the server says, `refused`, or `nothing` when no packet comes back. */
const dial = (address: string, port: number, from = client): Promise<string> =>
  node(
    from,
    `
    const socket = require('node:net').connect({ host: '${address}', port: ${port} })
    socket.setTimeout(${PATIENCE}, () => { console.log('nothing'); process.exit() })
    socket.on('data', (data) => { console.log(String(data)); process.exit() }).on('error', (error) => console.log(error.code === 'ECONNREFUSED' ? 'refused' : error.code))`,
  )

const inRouter = { family: 'inet', table: 'test' } as const
const objects = (at: string, ...more: FirewallObject[]): FirewallObject[] => [
  { kind: 'nft-table', at, family: 'inet', name: 'test' },
  ...more,
]
const setOf = (shape: SetShape, more: Partial<FirewallSet> = {}): FirewallSet => ({
  kind: 'nft-set',
  at: router,
  ...inRouter,
  ...shape,
  ...more,
})
const element = (set: SetShape, key: FirewallElement['key'], more: Partial<FirewallElement> = {}): FirewallElement => ({
  kind: 'nft-element',
  at: router,
  ...inRouter,
  set,
  key,
  ...more,
})
const chain = (name: string, base: FirewallChain['base'], ...rules: (Statement[] | FirewallRule)[]): FirewallChain => ({
  kind: 'nft-chain',
  at: router,
  ...inRouter,
  name,
  ...(base && { base }),
  rules: rules.map((rule) => (Array.isArray(rule) ? { statements: rule } : rule)),
})

const PREROUTING = { type: 'nat', hook: 'prerouting', priority: -100 } as const
const POSTROUTING = { type: 'nat', hook: 'postrouting', priority: 100 } as const
const FORWARD = { type: 'filter', hook: 'forward', priority: 0 } as const
const PORTS: SetShape = { name: 'ports', key: ['inet_proto', 'ipv4_addr', 'inet_service'], data: ['ipv4_addr', 'inet_service'] }
const publish: Statement = {
  dnat: { family: 'ip', to: { map: 'ports', key: { concat: [{ meta: 'l4proto' }, { payload: 'ip daddr' }, { payload: 'th dport' }] } } },
}

describe.skipIf(cannot)('packets', () => {
  it('to a published port are sent where the map says, from the moment the element is there until it goes', async () => {
    create(open.session, objects(router, setOf(PORTS, { counter: true }), chain('in', PREROUTING, [publish])))
    expect(await dial('10.1.0.1', 8080)).toBe('refused')
    const port = element(PORTS, ['tcp', '10.1.0.1', 8080], { data: ['10.2.0.2', 80] })
    create(open.session, [port])
    expect(await dial('10.1.0.1', 8080)).toBe('80 10.1.0.2')
    expect(readCounters(open.session.socket(router, NETLINK_NETFILTER), router, inRouter).elements).toMatchObject([
      { element: port, packets: 1n },
    ])
    change(open.session, port, { ...port, data: ['10.2.0.2', 81] })
    expect(await dial('10.1.0.1', 8080)).toBe('81 10.1.0.2')
    remove(open.session, [{ ...port, data: ['10.2.0.2', 81] }])
    expect(await dial('10.1.0.1', 8080)).toBe('refused')
  })

  it('to a range of ports keep their port', async () => {
    const ranges: SetShape = { name: 'ranges', key: ['inet_proto', 'inet_service'], data: ['ipv4_addr'], flags: ['interval'] }
    const statement: Statement = {
      dnat: { family: 'ip', address: { map: 'ranges', key: { concat: [{ meta: 'l4proto' }, { payload: 'th dport' }] } } },
    }
    const mine: Statement = { match: { left: { payload: 'ip daddr' }, op: '==', right: '10.1.0.1' } }
    create(
      open.session,
      objects(
        router,
        setOf(ranges),
        element(ranges, ['tcp', { range: [81, 83] }], { data: ['10.2.0.2'] }),
        chain('in', PREROUTING, [mine, statement]),
      ),
    )
    expect(await Promise.all([80, 81, 83].map((port) => dial('10.1.0.1', port)))).toEqual(['refused', '81 10.1.0.2', '83 10.1.0.2'])
  })

  it("of masqueraded sources look like the router's", async () => {
    const sources: SetShape = { name: 'sources', key: ['ipv4_addr'], flags: ['interval'] }
    const hide: Statement[] = [
      { match: { left: { payload: 'ip saddr' }, op: '==', right: '@sources' } },
      { counter: true },
      { masquerade: {} },
    ]
    create(open.session, objects(router, setOf(sources), chain('out', POSTROUTING, { statements: hide, comment: 'hide' })))
    expect(await dial('10.2.0.2', 80)).toBe('80 10.1.0.2')
    create(open.session, [element(sources, ['10.1.0.0/24'])])
    expect(await dial('10.2.0.2', 80)).toBe('80 10.2.0.1')
    const { rules } = readCounters(open.session.socket(router, NETLINK_NETFILTER), router, inRouter)
    expect(rules).toMatchObject([{ chain: 'out', rule: 0, comment: 'hide', packets: 1n }])
  })

  it('between interfaces go by the verdict of the map', async () => {
    const paths: SetShape = { name: 'paths', key: ['ifname', 'ifname'], data: 'verdict' }
    const decide: Statement = { vmap: { key: { concat: [{ meta: 'iifname' }, { meta: 'oifname' }] }, map: 'paths' } }
    const closed = chain('closed', undefined, [{ reject: { type: 'tcp reset' } }])
    create(open.session, objects(router, setOf(paths), closed, chain('forward', FORWARD, [decide])))
    expect(await dial('10.2.0.2', 80)).toBe('80 10.1.0.2')
    const path = element(paths, ['r0', 'r1'], { verdict: { drop: true } })
    create(open.session, [path])
    expect(await dial('10.2.0.2', 80)).toBe('nothing')
    change(open.session, path, { ...path, verdict: { jump: 'closed' } })
    expect(await dial('10.2.0.2', 80)).toBe('refused')
  })

  it('are shared among servers in turn', async () => {
    const servers: SetShape = { name: 'servers', key: [{ numgen: { mode: 'inc', mod: 3 } }], data: ['ipv4_addr', 'inet_service'] }
    const balance: Statement[] = [
      { match: { left: { payload: 'ip daddr' }, op: '==', right: '10.1.0.1' } },
      { match: { left: { payload: 'tcp dport' }, op: '==', right: 90 } },
      { dnat: { family: 'ip', to: { map: 'servers', key: { numgen: { mode: 'inc', mod: 3 } } } } },
    ]
    const members = [80, 81, 82].map((port, i) => element(servers, [i], { data: ['10.2.0.2', port] }))
    create(open.session, objects(router, setOf(servers), ...members, chain('in', PREROUTING, balance)))
    const answers: string[] = []
    for (let i = 0; i < 6; i++) answers.push(await dial('10.1.0.1', 90))
    expect(answers.slice(0, 3).sort()).toEqual(['80 10.1.0.2', '81 10.1.0.2', '82 10.1.0.2'])
    expect(answers.slice(3)).toEqual(answers.slice(0, 3))
  })

  it('of VXLAN in the clear are dropped by network identifier', async () => {
    const vnis: SetShape = { name: 'vnis', key: [{ payload: { base: 'th', offset: 96, length: 24 } }] }
    const clear: Statement[] = [
      { match: { left: { payload: 'udp dport' }, op: '==', right: 4789 } },
      { match: { left: { meta: 'ipsec' }, op: '==', right: false } },
      { match: { left: { payload: { base: 'th', offset: 96, length: 24 } }, op: '==', right: '@vnis' } },
      { drop: true },
    ]
    create(open.session, objects(router, setOf(vnis), element(vnis, [0x123456]), chain('forward', FORWARD, clear)))
    const listener = await serve(
      server,
      `const socket = require('node:dgram').createSocket('udp4').on('message', (data) => console.log(data.readUIntBE(4, 3).toString(16)))
      socket.bind(4789, ready)`,
    )
    const received: string[] = []
    listener.stdout!.on('data', (data) => received.push(...String(data).trim().split('\n')))
    await node(
      client,
      `
      const socket = require('node:dgram').createSocket('udp4')
      const packet = (vni) => { const data = Buffer.alloc(16); data[0] = 8; data.writeUIntBE(vni, 4, 3); return data }
      ;(async () => {
        for (const vni of [0x123456, 0x123457, 0x123456, 0x456]) await new Promise((done) => socket.send(packet(vni), 4789, '10.2.0.2', done))
        socket.close()
      })()`,
    )
    while (received.length < 2) await once(listener.stdout!, 'data')
    expect(received).toEqual(['123457', '456'])
  })

  it('to the name server of a sandbox reach the resolver on another port', async () => {
    const at = client
    const where = { at, ...inRouter }
    const redirect = (protocol: 'udp' | 'tcp'): FirewallRule => ({
      statements: [
        { match: { left: { payload: 'ip daddr' }, op: '==', right: '127.0.0.11' } },
        { match: { left: { payload: `${protocol} dport` }, op: '==', right: 53 } },
        { dnat: { family: 'ip', address: '127.0.0.11', port: 5353 } },
      ],
    })
    create(
      open.session,
      objects(at, {
        kind: 'nft-chain',
        ...where,
        name: 'dns',
        base: { type: 'nat', hook: 'output', priority: -100 },
        rules: [redirect('udp'), redirect('tcp')],
      }),
    )
    await serve(
      at,
      `const socket = require('node:dgram').createSocket('udp4').on('message', (data, from) => socket.send('answer to ' + data, from.port, from.address)); socket.bind(5353, '127.0.0.11', ready)`,
    )
    const answer = await node(
      at,
      `
      const socket = require('node:dgram').createSocket('udp4').on('message', (data, from) => { console.log(String(data), from.address, from.port); socket.close() })
      socket.send('www', 53, '127.0.0.11'); setTimeout(() => process.exit(1), ${PATIENCE}).unref()`,
    )
    expect(answer).toBe('answer to www 127.0.0.11 53')
  })

  it('add their source to a set', async () => {
    const seen: SetShape = { name: 'seen', key: ['ipv4_addr', 'inet_service'], flags: ['timeout', 'dynamic'] }
    const remember: Statement[] = [
      { set: { op: 'update', set: 'seen', key: { concat: [{ payload: 'ip saddr' }, { payload: 'tcp dport' }] }, timeout: 60_000 } },
    ]
    create(open.session, objects(router, setOf(seen, { size: 1000 }), chain('forward', FORWARD, remember)))
    await dial('10.2.0.2', 81)
    const found = firewallHandlers['nft-element'].list!(router, open.session, ['inet test'])
    expect(found).toContainEqual(element({ ...seen }, ['10.1.0.2', 81], { timeout: 60_000 }))
  })

  it('of a bridge port with another address than its own are dropped', async () => {
    const [left, right] = [makeNamespace('nft-left'), makeNamespace('nft-right')]
    try {
      run(router, 'ip', 'link', 'add', 'br0', 'up', 'type', 'bridge')
      connect(left, 'eth0', '10.9.0.2/24', router, 'port0', '10.99.0.1/32')
      connect(right, 'eth0', '10.9.0.3/24', router, 'port1', '10.99.0.2/32')
      for (const port of ['port0', 'port1']) run(router, 'ip', 'link', 'set', port, 'master', 'br0')
      const [{ address }] = JSON.parse(run(left, 'ip', '-j', 'link', 'show', 'eth0')) as [{ address: string }]
      const pings = (): boolean => {
        try {
          run(left, 'ping', '-c1', `-W${PATIENCE / 1500}`, '10.9.0.3')
          return true
        } catch {
          return false
        }
      }
      expect(pings()).toBe(true)
      const where = { at: router, family: 'bridge', table: 'guard' } as const
      const own: SetShape = { name: 'own', key: ['ifname', 'ether_addr'] }
      create(open.session, [
        { kind: 'nft-table', at: router, family: 'bridge', name: 'guard' },
        { kind: 'nft-set', ...where, ...own },
        { kind: 'nft-element', ...where, set: own, key: ['port0', address] },
        {
          kind: 'nft-chain',
          ...where,
          name: 'spoofed',
          base: { type: 'filter', hook: 'prerouting', priority: -300 },
          rules: [
            {
              statements: [
                { match: { left: { meta: 'iifname' }, op: '==', right: 'port0' } },
                { match: { left: { concat: [{ meta: 'iifname' }, { payload: 'ether saddr' }] }, op: '!=', right: '@own' } },
                { drop: true },
              ],
            },
          ],
        },
      ])
      expect(pings()).toBe(true)
      run(left, 'ip', 'link', 'set', 'eth0', 'address', '02:00:00:00:00:99')
      expect(pings()).toBe(false)
    } finally {
      removeNamespace(left)
      removeNamespace(right)
      run(router, 'ip', 'link', 'delete', 'br0')
    }
  })
})
