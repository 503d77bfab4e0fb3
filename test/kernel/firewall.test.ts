import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { bridge } from '../../drivers/bridge/index.js'
import { check } from '../../src/engine/check.js'
import { leftBehind, takeCensus, type Census } from '../census.js'
import { hasBridgeNetfilter, OUTSIDE, plugOutside, setBridgeNetfilter, unplugOutside, UPLINK } from '../drivers/outside.js'
import { ask, serve, type Server } from '../drivers/reach.js'
import { bare, DriverWorld, INSTANCE, nft, sh, type Member } from '../drivers/world.js'
import { needs, needsPrivileges, skipping } from '../tools.js'

const at = (member: Member | string): string => (typeof member === 'string' ? member : `/run/netns/${member.at}`)
const outside = `/run/netns/${OUTSIDE.name}`
const PUBLISHED = [{ protocol: 'tcp' as const, hostPort: 8080, containerPort: 80 }]
const FAMILIES = [4, 6] as const

describe.skipIf(needsPrivileges() ?? needs('ip', 'nft'))('firewall of bridge networks', () => {
  let world: DriverWorld
  let servers: Server[] = []
  let before: Census

  beforeAll(async () => {
    setBridgeNetfilter(false)
    plugOutside()
    world = await DriverWorld.open(bridge())
    await world.join('first', await world.network())
    await world.clear()
  })
  beforeEach(async () => {
    before = await takeCensus()
  })
  afterEach(async () => {
    for (const server of servers) server.close()
    servers = []
    await world.clear()
    expect(await leftBehind(before)).toEqual([])
  })
  afterAll(async () => {
    await world[Symbol.asyncDispose]()
    unplugOutside()
  })

  /** An endpoint that answers on 80 and 81. */
  const service = async (...join: Parameters<DriverWorld['join']>): Promise<Member> => {
    const member = await world.join(...join)
    for (const port of [80, 81]) servers.push(await serve(world.kernel, at(member), port, `${member.at}${port}`))
    return member
  }
  const answers = (from: Member | string, to: string, port = 80): Promise<string | undefined> =>
    ask(world.kernel, at(from), 'tcp', to, port)
  /** The same, for what is expected to be there: a busy machine may take longer. */
  const reached = async (...question: Parameters<typeof answers>): Promise<string | undefined> => {
    for (let tries = 0; tries < 8; tries++) {
      const answer = await answers(...question)
      if (answer !== undefined) return answer
    }
    return undefined
  }
  const outsideServes = async (): Promise<void> => void servers.push(await serve(world.kernel, outside, 80, 'world'))

  describe('isolation between networks', () => {
    it.each([
      // from, to, direct access
      [undefined, undefined, false],
      [undefined, 'false', true],
      ['false', 'false', true],
      ['true', 'false', true],
      ['false', 'true', false],
      ['true', 'true', false],
      ['strict', 'false', false],
      ['false', 'strict', false],
    ] as const)('from isolate=%s to isolate=%s: direct access %s, published ports always', async (from, to, direct) => {
      const isolate = (value: string | undefined): Record<string, string> => (value === undefined ? {} : { isolate: value })
      const client = await world.join('client', await world.network(isolate(from)))
      const target = await service('target', await world.network(isolate(to)), {}, { ports: PUBLISHED })
      for (const family of FAMILIES) {
        expect(await (direct ? reached : answers)(client, bare(target, family), 81)).toBe(
          direct ? `target81 ${bare(client, family)}` : undefined,
        )
        expect(await reached(client, UPLINK[family], 8080)).toBe(`target80 ${bare(client, family)}`)
      }
    })

    it('lets a strict network keep to itself even where another is unprotected', async () => {
      const modes = Object.fromEntries(FAMILIES.map((family) => [`com.docker.network.bridge.gateway_mode_ipv${family}`, 'nat-unprotected']))
      const target = await service('target', await world.network(modes))
      const [free, strict] = [
        await world.join('free', await world.network()),
        await world.join('strict', await world.network({ isolate: 'strict' })),
      ]
      expect(await reached(free, bare(target, 4), 81)).toBe(`target81 ${bare(free, 4)}`)
      expect(await answers(strict, bare(target, 4), 81)).toBeUndefined()
    })
  })

  it('without communication, endpoints meet at published ports only, also through their router', async () => {
    const network = await world.network({ 'com.docker.network.bridge.enable_icc': 'false' })
    const [client, target] = [await world.join('client', network), await service('target', network, {}, { ports: PUBLISHED })]
    sh('client', 'ip', 'route', 'add', `${bare(target, 4)}/32`, 'via', network.subnets[0]!.gateway!)
    sh('client', 'ip', '-6', 'route', 'add', `${bare(target, 6)}/128`, 'via', network.subnets[1]!.gateway!)
    for (const family of FAMILIES) {
      expect(await answers(client, bare(target, family), 80)).toBeUndefined()
      expect(await reached(client, UPLINK[family], 8080)).toMatch('target80')
    }
  })

  describe('on the way out', () => {
    it('sources take the address of the uplink, in both families', async () => {
      await outsideServes()
      const client = await world.join('client', await world.network())
      for (const family of FAMILIES) expect(await reached(client, OUTSIDE[family])).toBe(`world ${UPLINK[family]}`)
    })

    it('or an address of choice, or keep their own', async () => {
      await outsideServes()
      sh('host', 'ip', 'addr', 'add', '192.0.2.77/24', 'dev', UPLINK.name)
      try {
        const chosen = await world.join('chosen', await world.network({ outbound_addr4: '192.0.2.77' }))
        const own = await world.join('own', await world.network({ 'com.docker.network.bridge.enable_ip_masquerade': 'false' }))
        expect(await reached(chosen, OUTSIDE[4])).toBe('world 192.0.2.77')
        for (const family of FAMILIES) expect(await reached(own, OUTSIDE[family])).toBe(`world ${bare(own, family)}`)
      } finally {
        sh('host', 'ip', 'addr', 'delete', '192.0.2.77/24', 'dev', UPLINK.name)
      }
    })

    it('segments are made to fit a narrower path', async () => {
      sh('host', 'ip', 'link', 'set', UPLINK.name, 'mtu', '1400')
      try {
        const target = await service('target', await world.network({ mtu: '1500' }), {}, { ports: PUBLISHED })
        nft(
          `table inet probe {\n chain c {\n type filter hook forward priority 10\n tcp flags & (syn | ack) == syn | ack tcp option maxseg size 1360 counter\n }\n }\n`,
        )
        expect(await reached(outside, UPLINK[4], 8080)).toMatch('target80')
        expect(sh('host', 'nft', 'list', 'table', 'inet', 'probe')).toMatch(/counter packets [1-9]/)
        void target
      } finally {
        nft('table inet probe\ndelete table inet probe\n')
        sh('host', 'ip', 'link', 'set', UPLINK.name, 'mtu', '1500')
      }
    })
  })

  describe('exceptions', () => {
    it('trusted interfaces reach every port', async () => {
      const network = await world.network({ 'com.docker.network.bridge.trusted_host_interfaces': `lo:${UPLINK.name}` })
      const target = await service('target', network)
      for (const family of FAMILIES) expect(await reached(outside, bare(target, family), 81)).toBe(`target81 ${OUTSIDE[family]}`)
    })

    it('so do packets with an accepted mark, and those whose source a user trusts', async () => {
      const marked = await service('marked', await world.network({ accept_fwmark: '0x10/0xf0' }))
      const plain = await service('plain', await world.network())
      expect(await answers(outside, bare(marked, 4), 81)).toBeUndefined()
      nft('table inet probe {\n chain c {\n type filter hook prerouting priority -150\n iifname up0 meta mark set 0x13\n }\n }\n')
      try {
        expect(await reached(outside, bare(marked, 4), 81)).toMatch('marked81')
        expect(await answers(outside, bare(plain, 4), 81)).toBeUndefined()
        sh('host', 'nft', 'add', 'element', 'inet', INSTANCE, 'user-trusted4', '{ 192.0.2.0/30 }')
        expect(await reached(outside, bare(plain, 4), 81)).toMatch('plain81')
        sh('host', 'nft', 'delete', 'element', 'inet', INSTANCE, 'user-trusted4', '{ 192.0.2.0/30 }')
      } finally {
        nft('table inet probe\ndelete table inet probe\n')
      }
    })

    it('users deny sources, and have rules of their own, which nobody touches', async () => {
      const target = await service('target', await world.network(), {}, { ports: PUBLISHED })
      expect(await reached(outside, UPLINK[4], 8080)).toMatch('target80')
      sh('host', 'nft', 'add', 'element', 'inet', INSTANCE, 'user-denied4', '{ 192.0.2.2 }')
      expect(await answers(outside, UPLINK[4], 8080)).toBeUndefined()
      expect(await reached(outside, UPLINK[6], 8080)).toMatch('target80')
      sh('host', 'nft', 'add', 'rule', 'inet', INSTANCE, 'user-forward', 'ip6 saddr 2001:db8::2 drop')
      expect(await answers(outside, UPLINK[6], 8080)).toBeUndefined()
      expect(await check(world.engine, world.kernel)).toEqual([])
      await world.join('later', await world.network())
      await world.describe(target, [...PUBLISHED, { protocol: 'tcp', hostPort: 8081, containerPort: 81 }])
      expect(sh('host', 'nft', 'list', 'chain', 'inet', INSTANCE, 'user-forward')).toContain('2001:db8::2')
      expect(sh('host', 'nft', 'list', 'set', 'inet', INSTANCE, 'user-denied4')).toContain('192.0.2.2')
    })
  })

  describe('ports bound to the loopback address', () => {
    it('are the host’s alone, however a neighbour asks', async () => {
      const ports = [
        { protocol: 'tcp' as const, hostAddress: '127.0.0.1', hostPort: 8080, containerPort: 80 },
        { protocol: 'tcp' as const, hostAddress: '::1', hostPort: 8080, containerPort: 80 },
      ]
      const network = await world.network()
      const target = await service('target', network, {}, { ports })
      const neighbour = await world.join('neighbour', network)
      for (const loopback of ['127.0.0.1', '::1']) expect(await reached('host', loopback, 8080)).toMatch('target80')
      for (const family of FAMILIES) expect(await answers(outside, UPLINK[family], 8080)).toBeUndefined()
      // The neighbour sends packets for the host's loopback to the host's own MAC.
      for (const from of [OUTSIDE.name, neighbour.at]) {
        const router = from === neighbour.at ? network.subnets[0]!.gateway! : UPLINK[4]
        sh(from, 'ip', 'route', 'delete', 'local', '127.0.0.0/8', 'dev', 'lo', 'table', 'local')
        sh(from, 'ip', 'route', 'delete', 'local', '127.0.0.1', 'dev', 'lo', 'table', 'local')
        sh(from, 'ip', 'route', 'add', '127.0.0.0/8', 'via', router)
        expect(sh(from, 'ip', 'route', 'get', '127.0.0.1')).toContain(`via ${router}`)
        expect(await answers(`/run/netns/${from}`, '127.0.0.1', 8080)).toBeUndefined()
      }
      sh(OUTSIDE.name, 'ip', 'route', 'delete', '127.0.0.0/8')
      sh(OUTSIDE.name, 'ip', 'link', 'set', 'lo', 'down')
      sh(OUTSIDE.name, 'ip', 'link', 'set', 'lo', 'up')
      void target
    })

    it('leave no setting behind when they go', async () => {
      const network = await world.network()
      const target = await service('target', network, {}, { ports: PUBLISHED })
      const setting = (): string => sh('host', 'cat', `/proc/sys/net/ipv4/conf/br-${network.shortId}/route_localnet`).trim()
      expect(setting()).toBe('1')
      expect(sh('host', 'ip', '-6', 'route', 'show', 'table', 'local', '::1')).toContain(`br-${network.shortId}`)
      await world.describe(target, [])
      expect(setting()).toBe('0')
      expect(sh('host', 'ip', '-6', 'route', 'show', 'table', 'local', '::1')).not.toContain('br-')
    })
  })

  describe('on an adopted bridge', () => {
    const subnets = [{ subnet: '10.200.0.0/24', family: 4 as const, gateway: '10.200.0.1', reserved: {} }]

    it('only the endpoints are guarded, not who else is on it', async () => {
      sh(
        'host',
        'sh',
        '-ec',
        'ip netns add vm\nip link add own0 address 02:00:00:00:02:00 type bridge\nip link set own0 addrgenmode none\nip addr add 10.200.0.1/24 dev own0\nip link set own0 up\nip link add vm0 master own0 up type veth peer name eth0 netns vm\nip -n vm addr add 10.200.0.50/24 dev eth0\nip -n vm link set eth0 up\nip -n vm route add default via 10.200.0.1',
      )
      servers.push(await serve(world.kernel, '/run/netns/vm', 81, 'vm'))
      await outsideServes()
      try {
        const network = await world.network({ 'com.docker.network.bridge.name': 'own0' }, { ipv6: false, subnets })
        const target = await service('target', network, {}, { ports: PUBLISHED })
        expect(await reached(outside, '10.200.0.50', 81)).toBe(`vm ${OUTSIDE[4]}`)
        expect(await answers(outside, bare(target, 4), 81)).toBeUndefined()
        expect(await reached(outside, UPLINK[4], 8080)).toMatch('target80')
        expect(await reached('/run/netns/vm', OUTSIDE[4])).toBe('world 10.200.0.50')
        expect(await reached(target, OUTSIDE[4])).toBe(`world ${UPLINK[4]}`)
        await world.clear()
      } finally {
        sh('host', 'sh', '-c', 'ip link delete own0; ip netns delete vm')
      }
    })
  })

  it.skipIf(!hasBridgeNetfilter() && skipping('this kernel has no br_netfilter'))(
    'on an adopted bridge endpoints see one another’s address, with br_netfilter too',
    async () => {
      sh(
        'host',
        'sh',
        '-ec',
        'ip link add own0 address 02:00:00:00:02:00 type bridge\nip link set own0 addrgenmode none\nip link set own0 up',
      )
      setBridgeNetfilter(true)
      try {
        const network = await world.network({ 'com.docker.network.bridge.name': 'own0' })
        const [target, client] = [await service('target', network), await world.join('client', network)]
        for (const family of FAMILIES) expect(await reached(client, bare(target, family))).toBe(`target80 ${bare(client, family)}`)
        await world.clear()
      } finally {
        setBridgeNetfilter(false)
        sh('host', 'ip', 'link', 'delete', 'own0')
      }
    },
  )

  it('a bridge of somebody else goes on forwarding, and other tables stay as they are', async () => {
    const foreign =
      'table ip theirs {\n chain f {\n type filter hook forward priority 5; policy accept\n ip daddr 10.99.0.9 counter\n }\n }\n'
    sh(
      'host',
      'sh',
      '-ec',
      'ip netns add vm\nip link add their0 address 02:00:00:00:02:01 type bridge\nip link set their0 addrgenmode none\nip addr add 10.99.0.1/24 dev their0\nip link set their0 up\nip link add vm0 master their0 up type veth peer name eth0 netns vm\nip -n vm addr add 10.99.0.9/24 dev eth0\nip -n vm link set eth0 up\nip -n vm route add default via 10.99.0.1',
    )
    nft(foreign)
    /** The whole ruleset without our tables. */
    const theirs = (): string => {
      const tables = sh('host', 'nft', '-s', 'list', 'ruleset').split(/^(?=table )/m)
      return tables.filter((table) => !table.startsWith(`table inet ${INSTANCE} `)).join('')
    }
    servers.push(await serve(world.kernel, '/run/netns/vm', 80, 'vm'))
    try {
      const rules = theirs()
      expect(rules).toContain('10.99.0.9')
      expect(await reached(outside, '10.99.0.9')).toBe(`vm ${OUTSIDE[4]}`)
      const network = await world.network({ isolate: 'strict' })
      await service('target', network, {}, { ports: PUBLISHED })
      await world.network({}, { internal: true })
      expect(await reached(outside, '10.99.0.9')).toBe(`vm ${OUTSIDE[4]}`)
      expect(theirs()).toBe(rules)
      await world.clear()
      expect(await reached(outside, '10.99.0.9')).toBe(`vm ${OUTSIDE[4]}`)
      expect(theirs()).toBe(rules)
    } finally {
      sh('host', 'sh', '-c', 'ip link delete their0; ip netns delete vm; nft delete table ip theirs')
    }
  })

  it('names the chains of others that will drop its packets', async () => {
    const tables = [
      'table ip filter {\n chain FORWARD {\n type filter hook forward priority 0; policy drop\n }\n }',
      'table inet firewalld {\n chain filter_FORWARD {\n type filter hook forward priority 10\n ct state established accept\n reject with icmpx type admin-prohibited\n }\n }',
      'table ip6 harmless {\n chain f {\n type filter hook forward priority 0\n ip6 daddr fd00:ffff::1 drop\n }\n }',
    ]
    nft(`${tables.join('\n')}\n`)
    try {
      world.warnings.length = 0
      await world.network()
      expect(world.warnings).toEqual([
        expect.stringContaining('table ip filter, chain FORWARD: its policy is drop'),
        expect.stringContaining('table inet firewalld, chain filter_FORWARD: its last rule drops the rest'),
      ])
      world.warnings.length = 0
      await world.network({}, { internal: true })
      expect(world.warnings).toEqual([])
    } finally {
      nft('delete table ip filter\ndelete table inet firewalld\ndelete table ip6 harmless\n')
    }
  })

  it('does not grow by a rule for networks, endpoints or ports', async () => {
    const rules = (): number =>
      sh('host', 'nft', '-a', 'list', 'table', 'inet', INSTANCE)
        .split('\n')
        .filter((line) => /# handle/.test(line) && !/\{/.test(line)).length
    await world.network()
    const alone = rules()
    expect(alone).toBeGreaterThan(40)
    for (let n = 0; n < 5; n++) {
      const network = await world.network(n === 0 ? { isolate: 'true' } : {})
      await world.join(
        `s${n}`,
        network,
        {},
        { ports: [{ protocol: 'tcp', hostPort: 9000 + n * 100, hostPortEnd: 9050 + n * 100, containerPort: 80 }] },
      )
    }
    expect(rules()).toBe(alone)
    expect(await check(world.engine, world.kernel)).toEqual([])
  })
})
