import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { needs, needsPrivileges } from '../tools.js'
import { a, makeWorld, soa, udpClient, upstream, type Ask, type Client, type Upstream, type World } from './dns-world.js'

/** Question, then code, flags and answers; one answer a line, in order unless the case says otherwise. */
interface Case {
  what: string
  name: string
  type: string
  ask?: Ask
  code: string
  flags: string[]
  answers: string[]
  anyOrder?: boolean
  edns?: boolean
}

const LOCAL = ['aa', 'rd', 'ra']
const REMOTE = ['rd', 'ra']
const own = (what: string, name: string, type: string, answers: string[], more: Partial<Case> = {}): Case => ({
  what,
  name,
  type,
  answers,
  code: 'NOERROR',
  flags: LOCAL,
  ...more,
})
const others = (what: string, name: string, type: string, answers: string[], more: Partial<Case> = {}): Case => ({
  what,
  name,
  type,
  answers,
  code: 'NOERROR',
  flags: REMOTE,
  ...more,
})
const RFC8482 = JSON.stringify({ cpu: 'RFC8482', os: '' })
const V6_REVERSE = '5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa'

const CASES: Case[] = [
  own('an endpoint', 'web', 'A', ['web 0 A 10.1.0.5']),
  own('its IPv6 address', 'web', 'AAAA', ['web 0 AAAA fd00::5']),
  own('case does not matter and comes back as asked', 'WeB', 'A', ['WeB 0 A 10.1.0.5']),
  own('a final dot', 'web.', 'A', ['web 0 A 10.1.0.5']),
  own('an alias', 'www', 'A', ['www 0 A 10.1.0.5']),
  own('a short id', '0123456789ab', 'A', ['0123456789ab 0 A 10.1.0.5']),
  own('name and network', 'web.front', 'A', ['web.front 0 A 10.1.0.5']),
  own('alias and network', 'www.front', 'AAAA', ['www.front 0 AAAA fd00::5']),
  own('a name with a dot of its own', 'a.b', 'A', ['a.b 0 A 10.1.0.7']),
  own('a name with a dot and its network', 'a.b.front', 'A', ['a.b.front 0 A 10.1.0.7']),
  own('a name with an underscore', 'my_db', 'A', ['my_db 0 A 10.1.0.8']),
  own('a service of three endpoints', 'api', 'A', ['api 0 A 10.1.0.11', 'api 0 A 10.1.0.12', 'api 0 A 10.1.0.13'], { anyOrder: true }),
  own('an endpoint on two networks', 'db', 'A', ['db 0 A 10.1.0.20', 'db 30 A 10.2.0.20']),
  own('the same on one of them', 'db.back', 'A', ['db.back 30 A 10.2.0.20']),
  own('the TTL of its network', 'only-back', 'A', ['only-back 30 A 10.2.0.21']),
  own('a known name without IPv6: no data, not NXDOMAIN', 'my_db', 'AAAA', []),
  own('a known name without IPv4', 'six', 'A', []),
  own('a known name and another type', 'web', 'MX', []),
  own('a known name and HTTPS', 'web', 'UNKNOWN_65', []),
  own('a known name and a type from 256 on', 'web', 'UNKNOWN_257', []),
  own('an extra host', 'legacy', 'A', ['legacy 0 A 192.0.2.7']),
  own('an extra host hides a name of a network', 'shadow', 'A', ['shadow 0 A 192.0.2.8']),
  own('an extra host without IPv6', 'legacy', 'AAAA', []),
  own('a link', 'database', 'A', ['database 0 A 10.1.0.20', 'database 30 A 10.2.0.20']),
  own('localhost', 'localhost', 'A', ['localhost 0 A 127.0.0.1']),
  own('below localhost', 'x.localhost', 'AAAA', ['x.localhost 0 AAAA ::1']),
  own(
    'all names of an address',
    '5.0.1.10.in-addr.arpa',
    'PTR',
    ['web.front', 'www.front', '0123456789ab.front'].map((name) => `5.0.1.10.in-addr.arpa 0 PTR ${name}`),
  ),
  own(
    'all names of an IPv6 address',
    V6_REVERSE,
    'PTR',
    ['web.front', 'www.front', '0123456789ab.front'].map((name) => `${V6_REVERSE} 0 PTR ${name}`),
  ),
  own('the name of an extra host', '7.2.0.192.in-addr.arpa', 'PTR', ['7.2.0.192.in-addr.arpa 0 PTR legacy']),
  own('a named port', '_http._tcp.web', 'SRV', ['_http._tcp.web 0 SRV 0 0 8080 web.front']),
  own(
    'a named port of a service',
    '_grpc._tcp.api',
    'SRV',
    [1, 2, 3].map((i) => `_grpc._tcp.api 0 SRV ${i} 10 9000 api-${i}.front`),
    { anyOrder: true },
  ),
  own('a port that nobody has', '_ftp._tcp.web', 'SRV', [], { code: 'NXDOMAIN' }),
  own('an existing port asked for another type', '_http._tcp.web', 'A', []),
  own('ANY is declined politely', 'web', 'ANY', [`web 0 HINFO ${RFC8482}`]),
  own('EDNS is answered with EDNS', 'web', 'A', ['web 0 A 10.1.0.5'], { ask: { edns: 1232 }, edns: true }),
  own('no recursion desired', 'web', 'A', ['web 0 A 10.1.0.5'], { ask: { flags: 0 }, flags: ['aa', 'ra'] }),
  others('another class', 'web', 'A', [], { ask: { class: 'CH' }, code: 'REFUSED' }),
  others('a future EDNS', 'web', 'A', [], { ask: { edns: 1232, ednsVersion: 1 }, edns: true, code: 'BADVERS' }),
  others('a zone transfer', 'web', 'AXFR', [], { code: 'REFUSED' }),
  others('a name of the world', 'example.test', 'A', ['example.test 60 A 198.51.100.1']),
  others('the same, differently written', 'EXAMPLE.test', 'A', ['example.test 60 A 198.51.100.1']),
  others('a name that the world does not know', 'nothing.test', 'A', [], { code: 'NXDOMAIN' }),
  others('a type that the world does not have', 'example.test', 'AAAA', []),
  others('below a name of ours is the world', 'sub.web', 'A', [], { code: 'NXDOMAIN' }),
  others('a network of another sandbox', 'hidden', 'A', [], { code: 'NXDOMAIN' }),
  others('a network of another sandbox, by its name', 'hidden.secret', 'A', [], { code: 'NXDOMAIN' }),
  others('an address of another sandbox', '5.0.3.10.in-addr.arpa', 'PTR', [], { code: 'NXDOMAIN' }),
  others('a server that fails', 'broken.test', 'A', [], { code: 'SERVFAIL' }),
]

describe.skipIf(needsPrivileges() ?? needs('ip', 'nsenter'))('answers', () => {
  let world: World
  let server: Upstream
  let client: Client

  beforeAll(async () => {
    server = await upstream((name, type) => {
      if (name.toLowerCase() === 'example.test')
        return type === 'A' ? { answers: [a(name, '198.51.100.1')] } : { authorities: [soa('test', 60, 30)] }
      if (name === 'broken.test') return { rcode: 2 }
      return { rcode: 3, authorities: [soa('test', 60, 30)] }
    })
    world = await makeWorld()
    const { resolver } = world
    const tcp = (name: string, port: number, more = {}) => ({ name, protocol: 'tcp' as const, port, ...more })
    resolver.putNetwork({
      id: 'n1',
      name: 'front',
      endpoints: [
        { id: 'e1', names: ['web', 'www', '0123456789ab'], addresses: ['10.1.0.5/24', 'fd00::5/64'], ports: [tcp('http', 8080)] },
        { id: 'e2', names: ['a.b'], addresses: ['10.1.0.7/24'] },
        { id: 'e3', names: ['my_db'], addresses: ['10.1.0.8/24'] },
        { id: 'e4', names: ['six'], addresses: ['fd00::9/64'] },
        { id: 'e5', names: ['shadow'], addresses: ['10.1.0.10/24'] },
        ...[1, 2, 3].map((i) => ({
          id: `api${i}`,
          names: [`api-${i}`, 'api'],
          addresses: [`10.1.0.${10 + i}/24`],
          ports: [tcp('grpc', 9000, { priority: i, weight: 10 })],
        })),
        { id: 'e6', names: ['db'], addresses: ['10.1.0.20/24'] },
      ],
    })
    resolver.putNetwork({
      id: 'n2',
      name: 'back',
      ttl: 30,
      endpoints: [
        { id: 'e7', names: ['db'], addresses: ['10.2.0.20/24'] },
        { id: 'e8', names: ['only-back'], addresses: ['10.2.0.21/24'] },
      ],
    })
    resolver.putNetwork({ id: 'n3', name: 'secret', endpoints: [{ id: 'e9', names: ['hidden'], addresses: ['10.3.0.5/24'] }] })
    const { at } = await world.sandbox('answers', {
      networks: ['n1', 'n2'],
      hosts: { legacy: ['192.0.2.7'], shadow: ['192.0.2.8'] },
      links: { database: 'db' },
      forwarding: { to: 'servers', from: 'host', servers: [{ address: '127.0.0.1', port: server.port }] },
    })
    client = await udpClient(world.kernel, at)
  })
  afterAll(async () => {
    await client.close()
    await world.close()
    await server.close()
    expect(world.faults).toEqual([])
  })

  it(`has ${CASES.length} cases`, () => expect(CASES.length).toBeGreaterThanOrEqual(40))

  it.each(CASES)('$what: $name $type', async ({ name, type, ask, code, flags, answers, anyOrder, edns = false }) => {
    const reply = await client.ask(name, type, ask)
    expect({ code: reply.code, flags: reply.flags, edns: reply.edns }).toEqual({ code, flags, edns })
    expect(reply.question).toBe(name.replace(/\.$/, ''))
    expect(anyOrder ? reply.lines.sort() : reply.lines).toEqual(anyOrder ? answers.sort() : answers)
  })

  it('gives the addresses of SRV targets along', async () => {
    const reply = await client.ask('_http._tcp.web', 'SRV')
    expect(reply.additional.map(({ name, type, data }) => `${name} ${type} ${String(data)}`)).toEqual([
      'web.front A 10.1.0.5',
      'web.front AAAA fd00::5',
    ])
  })

  it('begins with another endpoint of a service each time', async () => {
    const first: unknown[] = []
    for (let i = 0; i < 6; i++) first.push((await client.ask('api', 'A')).answers[0]!.data)
    expect(new Set(first)).toEqual(new Set(['10.1.0.11', '10.1.0.12', '10.1.0.13']))
    expect(first.slice(0, 3)).toEqual(first.slice(3))
  })
})
