import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bridge } from '../../drivers/bridge/index.js'
import { hasBridgeNetfilter, OUTSIDE, plugOutside, setBridgeNetfilter, unplugOutside, UPLINK } from '../drivers/outside.js'
import { ask, serve, tellSctp, type Server } from '../drivers/reach.js'
import { bare, DriverWorld, sh, type Member } from '../drivers/world.js'
import { needs, needsPrivileges, skipping } from '../tools.js'

type Client = 'host' | 'outside' | 'peer' | 'other' | 'inner' | 'self'
/** `host`: a port of the host; `direct`: the same service at the endpoint's address; `private`: a port that is not published. */
type Way = 'host' | 'direct' | 'private'
type Expected = Record<Client, Way[]>

const ALL: Way[] = ['host', 'direct', 'private']
const ITS_OWN = ['direct', 'private'] satisfies Way[]

/** Who reaches what, for each gateway mode; the same over every protocol and in both families. */
const MATRIX: Record<string, { options: Record<string, string>; internal?: boolean; expected: Expected }> = {
  nat: { options: {}, expected: { host: ALL, outside: ['host'], peer: ALL, other: ['host'], inner: [], self: ALL } },
  'nat-unprotected': {
    options: {
      'com.docker.network.bridge.gateway_mode_ipv4': 'nat-unprotected',
      'com.docker.network.bridge.gateway_mode_ipv6': 'nat-unprotected',
    },
    expected: { host: ALL, outside: ALL, peer: ALL, other: ALL, inner: [], self: ALL },
  },
  routed: {
    options: { 'com.docker.network.bridge.gateway_mode_ipv4': 'routed', 'com.docker.network.bridge.gateway_mode_ipv6': 'routed' },
    expected: { host: ITS_OWN, outside: ['direct'], peer: ITS_OWN, other: ['direct'], inner: [], self: ITS_OWN },
  },
  internal: { options: {}, internal: true, expected: { host: ITS_OWN, outside: [], peer: ITS_OWN, other: [], inner: [], self: ITS_OWN } },
  isolated: {
    options: { 'com.docker.network.bridge.gateway_mode_ipv4': 'isolated', 'com.docker.network.bridge.gateway_mode_ipv6': 'isolated' },
    internal: true,
    expected: { host: [], outside: [], peer: ITS_OWN, other: [], inner: [], self: ITS_OWN },
  },
}

const HOST_PORT = 8080
const PORT = 80
const PRIVATE_PORT = 81
const CLIENTS: Client[] = ['host', 'outside', 'peer', 'other', 'inner', 'self']
const PORTS = (['tcp', 'udp', 'sctp'] as const).map((protocol) => ({ protocol, hostPort: HOST_PORT, containerPort: PORT }))

describe.skipIf(needsPrivileges() ?? needs('ip', 'nft'))('reachability', () => {
  beforeAll(plugOutside)
  afterAll(unplugOutside)
  for (const bridgeNetfilter of [false, true]) {
    const title = `with br_netfilter ${bridgeNetfilter ? 'on' : 'off'}`
    const missing = bridgeNetfilter && !hasBridgeNetfilter()
    describe.skipIf(missing && skipping('this kernel has no br_netfilter'))(title, () => {
      for (const [mode, row] of Object.entries(MATRIX)) describe(mode, () => declare(row, bridgeNetfilter))
    })
  }
})

/** Never the same twice: the kernel remembers where it led a connection. */
let nextSource = 20_000

function declare({ options, internal = false, expected }: (typeof MATRIX)[string], bridgeNetfilter: boolean): void {
  let world: DriverWorld
  let target: Member
  let servers: Server[] = []
  const namespaces: Record<Client, string> = {
    host: 'host',
    outside: OUTSIDE.name,
    peer: 'peer',
    other: 'other',
    inner: 'inner',
    self: 'self',
  }
  const place = (client: Client): string => (client === 'host' ? 'host' : `/run/netns/${namespaces[client]}`)

  beforeAll(async () => {
    setBridgeNetfilter(bridgeNetfilter)
    world = await DriverWorld.open(bridge())
    const network = await world.network(options, { internal })
    target = await world.join('self', network, {}, internal ? {} : { ports: PORTS })
    await world.join('peer', network)
    await world.join('other', await world.network())
    const inner = await world.network({}, { internal: true })
    await world.join('inner', inner)
    // As if its owner wanted out: the way to the host is known, the host must not open it.
    sh('inner', 'ip', 'route', 'add', 'default', 'via', inner.subnets[0]!.gateway!)
    sh('inner', 'ip', '-6', 'route', 'add', 'default', 'via', inner.subnets[1]!.gateway!)
    if (!internal) return void (servers = await startServers())
    for (const name of ['self', 'peer']) {
      sh(name, 'ip', 'route', 'replace', 'default', 'dev', 'eth0')
      sh(name, 'ip', '-6', 'route', 'replace', 'default', 'dev', 'eth0')
    }
    servers = await startServers()
  })
  afterAll(async () => {
    for (const server of servers) server.close()
    await world[Symbol.asyncDispose]()
    setBridgeNetfilter(false)
  })
  const startServers = (): Promise<Server[]> =>
    Promise.all([PORT, PRIVATE_PORT].map((port) => serve(world.kernel, place('self'), port, `at${port}`)))

  const addressFor = (way: Way, family: 4 | 6): [address: string, port: number] => {
    if (way === 'host') return [UPLINK[family], HOST_PORT]
    return [bare(target, family), way === 'direct' ? PORT : PRIVATE_PORT]
  }

  /** What is expected to be reached is asked for more often: a busy machine may be slow, a wrong rule is no faster. */
  const reaches = async (client: Client, way: Way, protocol: 'tcp' | 'udp', family: 4 | 6): Promise<boolean> => {
    for (let tries = expected[client].includes(way) ? 8 : 1; tries > 0; tries--) {
      if ((await ask(world.kernel, place(client), protocol, ...addressFor(way, family))) !== undefined) return true
    }
    return false
  }

  for (const family of [4, 6] as const) {
    it.each(['tcp', 'udp'] as const)(`IPv${family} %s`, async (protocol) => {
      const found = Object.fromEntries(
        await Promise.all(
          CLIENTS.map(async (client) => {
            const answers = await Promise.all(ALL.map((way) => reaches(client, way, protocol, family)))
            return [client, ALL.filter((_, index) => answers[index])] as const
          }),
        ),
      )
      expect(found).toEqual(expected)
    })

    it.skipIf(needs('python3'))(`IPv${family} sctp`, async () => {
      const attempts = CLIENTS.flatMap((client) => ALL.map((way) => ({ client, way, source: nextSource++ })))
      const calls = CLIENTS.map((client) => ({
        from: namespaces[client],
        inits: attempts
          .filter((each) => each.client === client)
          .map(({ way, source }) => ({ address: addressFor(way, family)[0], port: addressFor(way, family)[1], source })),
      }))
      const heard = (await tellSctp('self', family, calls)).map(({ source }) => source)
      const found = Object.fromEntries(
        CLIENTS.map((client) => [
          client,
          attempts.filter((each) => each.client === client && heard.includes(each.source)).map(({ way }) => way),
        ]),
      )
      expect(found).toEqual(expected)
    })
  }

  if (!expected.outside.includes('host')) return
  it('shows the service who asks, and reaches it at the host’s loopback', async () => {
    for (const family of [4, 6] as const) {
      const [address, port] = addressFor('host', family)
      for (const protocol of ['tcp', 'udp'] as const) {
        expect(await ask(world.kernel, place('outside'), protocol, address, port)).toBe(`at${PORT} ${OUTSIDE[family]}`)
        const loopback = await ask(world.kernel, 'host', protocol, family === 4 ? '127.0.0.1' : '::1', HOST_PORT)
        if (family === 4 || !bridgeNetfilter) expect(loopback).toMatch(`at${PORT} `)
      }
    }
  })
}
