import { mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DnsForwarding, DnsView } from 'libcnm/drivers/dns'
import packet from 'dns-packet'
import { afterEach, describe, expect, it } from 'vitest'
import { needs, needsPrivileges } from '../tools.js'
import {
  a,
  makeWorld,
  question,
  readReply,
  soa,
  udpClient,
  upstream,
  type Behaviour,
  type Client,
  type Upstream,
  type World,
} from './dns-world.js'

const anything: Behaviour = (name) => ({ answers: [a(name, '198.51.100.1')] })
const silence: Behaviour = () => undefined
const to = (...servers: Upstream[]): DnsForwarding => ({
  to: 'servers',
  from: 'host',
  servers: servers.map(({ address, port }) => ({ address, port })),
})
const view = (forwarding: DnsForwarding, more: Partial<DnsView> = {}): DnsView => ({ networks: ['n'], forwarding, ...more })

describe.skipIf(needsPrivileges() ?? needs('ip', 'nsenter'))('forwarding', () => {
  let closing: { close(): Promise<void> }[] = []
  let number = 0
  const keep = <T extends { close(): Promise<void> }>(made: T): T => {
    closing.unshift(made)
    return made
  }
  const world = async (tuning = {}): Promise<World> => {
    const made = keep(await makeWorld(tuning))
    made.resolver.putNetwork({ id: 'n', name: 'front', endpoints: [{ id: 'e', names: ['web'], addresses: ['10.1.0.5'] }] })
    return made
  }
  const client = async (made: World, sees: DnsView): Promise<Client & { at: string; id: string }> => {
    const id = `fwd-${number++}`
    const { at } = await made.sandbox(id, sees)
    return Object.assign(keep(await udpClient(made.kernel, at)), { at, id })
  }
  afterEach(async () => {
    for (const made of closing) await made.close()
    closing = []
  })

  it('asks the next server when one refuses, fails or is not there', async () => {
    const refuses = keep(await upstream(() => ({ rcode: 5 })))
    const fails = keep(await upstream(() => ({ rcode: 2 })))
    const gone = await upstream(anything)
    await gone.close()
    const good = keep(await upstream(anything))
    const asks = await client(await world(), view(to(refuses, fails, gone, good)))
    const started = performance.now()
    expect((await asks.ask('one.test', 'A')).lines).toEqual(['one.test 60 A 198.51.100.1'])
    expect(performance.now() - started).toBeLessThan(1000)
    expect([refuses.asked, fails.asked, good.asked]).toEqual([['one.test'], ['one.test'], ['one.test']])
  })

  it('does not wait long for a silent server, and soon asks the other first', async () => {
    const dead = keep(await upstream(silence))
    const good = keep(await upstream(anything))
    const asks = await client(await world(), view(to(dead, good)))
    const times: number[] = []
    for (let i = 0; i < 8; i++) {
      const started = performance.now()
      expect((await asks.ask(`q${i}.test`, 'A')).code).toBe('NOERROR')
      times.push(performance.now() - started)
    }
    // Medians: the machine may be busy. Asking again without asking another takes a second.
    expect(times.slice(0, 3).sort((x, y) => x - y)[1]).toBeLessThan(700)
    expect(times.slice(4).sort((x, y) => x - y)[1]).toBeLessThan(100)
    expect(good.asked).toHaveLength(8)
    expect(dead.asked.length).toBeLessThan(8)
  })

  it('finds a server that came back', async () => {
    let alive = false
    const first = keep(await upstream((name) => (alive ? { answers: [a(name, '198.51.100.1')] } : undefined)))
    const second = keep(await upstream((name) => ({ answers: [a(name, '198.51.100.2')] })))
    const asks = await client(await world(), view(to(first, second)))
    for (let i = 0; i < 5; i++) await asks.ask(`before${i}.test`, 'A')
    alive = true
    let answer: unknown
    for (let i = 0; i < 60 && answer !== '198.51.100.1'; i++) {
      await sleep(50)
      answer = (await asks.ask(`after${i}.test`, 'A')).answers[0]!.data
    }
    expect(answer).toBe('198.51.100.1')
  })

  it('lets the first server contradict a denial of the second', async () => {
    const slow = keep(await upstream(async (name) => sleep(150).then(() => ({ answers: [a(name, '10.9.9.9')] }))))
    const quick = keep(await upstream(() => ({ rcode: 3, authorities: [soa('test', 60, 60)] })))
    const asks = await client(await world(), view(to(slow, quick)))
    expect((await asks.ask('internal.test', 'A')).lines).toEqual(['internal.test 60 A 10.9.9.9'])
    expect(quick.asked).toEqual(['internal.test'])
  })

  it('answers SERVFAIL when nobody answers in time, never nothing', async () => {
    const dead = keep(await upstream(silence))
    const asks = await client(await world({ deadline: 700 }), view(to(dead)))
    const started = performance.now()
    expect((await asks.ask('slow.test', 'A')).code).toBe('SERVFAIL')
    expect(performance.now() - started).toBeGreaterThan(650)
    // Clients give up after 5 seconds.
    expect(performance.now() - started).toBeLessThan(5000)
    expect((await asks.ask('web', 'A')).code).toBe('NOERROR')
  })

  it('answers SERVFAIL where nothing is forwarded, and asks nobody', async () => {
    const made = await world()
    const asks = await client(made, view({ to: 'none' }))
    expect((await asks.ask('example.test', 'A')).code).toBe('SERVFAIL')
    expect((await made.resolver.statistics())?.asked).toBe(0)
  })

  it('keeps names of one label from servers when resolv.conf sets ndots', async () => {
    const good = keep(await upstream(anything))
    const asks = await client(await world(), view(to(good), { singleLabels: 'local' }))
    const reply = await asks.ask('unknown', 'AAAA')
    expect([reply.code, reply.lines]).toEqual(['NOERROR', []])
    expect((await asks.ask('unknown.test', 'A')).answers).toHaveLength(1)
    expect((await asks.ask('unknown', 'MX')).answers).toHaveLength(1)
    expect(good.asked).toEqual(['unknown.test', 'unknown'])
  })

  it('asks once for all who want to know the same', async () => {
    const slow = keep(await upstream(async (name) => sleep(50).then(() => ({ answers: [a(name, '198.51.100.1', 0)] }))))
    const made = await world()
    const one = await client(made, view(to(slow)))
    const other = await client(made, view(to(slow)))
    const replies = await Promise.all(
      [...Array(40).keys()].map((i) => (i % 2 === 0 ? one : other).ask(i % 3 === 0 ? 'Same.test' : 'same.TEST', 'A', { id: 100 + i })),
    )
    expect(new Set(replies.map((reply) => reply.code))).toEqual(new Set(['NOERROR']))
    expect(replies.map((reply) => reply.question)).toEqual([...Array(40).keys()].map((i) => (i % 3 === 0 ? 'Same.test' : 'same.TEST')))
    expect(slow.asked).toHaveLength(1)
  })

  it('keeps answers as long as their TTL and counts it down', async () => {
    const good = keep(await upstream((name) => ({ answers: [a(name, '198.51.100.1', name === 'short.test' ? 1 : 9)] })))
    const asks = await client(await world(), view(to(good)))
    for (const name of ['short.test', 'long.test', 'short.test', 'long.test']) await asks.ask(name, 'A')
    expect(good.asked).toEqual(['short.test', 'long.test'])
    await sleep(1150)
    expect((await asks.ask('long.test', 'A')).lines).toEqual(['long.test 8 A 198.51.100.1'])
    await asks.ask('short.test', 'A')
    expect(good.asked).toEqual(['short.test', 'long.test', 'short.test'])
  })

  it('keeps denials as long as their SOA says, and none without one', async () => {
    const good = keep(
      await upstream((name) => ({
        rcode: name.startsWith('x') ? 3 : 0,
        authorities: name.endsWith('.none') ? [] : [soa('test', 100, name === 'x2.test' ? 1 : 50)],
      })),
    )
    const asks = await client(await world(), view(to(good)))
    for (let i = 0; i < 2; i++) {
      expect((await asks.ask('x1.test', 'A')).code).toBe('NXDOMAIN')
      expect((await asks.ask('empty.test', 'AAAA')).code).toBe('NOERROR')
      expect((await asks.ask('x.none', 'A')).code).toBe('NXDOMAIN')
      await asks.ask('x2.test', 'A')
    }
    expect(good.asked).toEqual(['x1.test', 'empty.test', 'x.none', 'x2.test', 'x.none'])
    await sleep(1100)
    await asks.ask('x2.test', 'A')
    expect(good.asked.at(-1)).toBe('x2.test')
  })

  it('keeps caches of different servers apart', async () => {
    const one = keep(await upstream((name) => ({ answers: [a(name, '198.51.100.1')] })))
    const two = keep(await upstream((name) => ({ answers: [a(name, '198.51.100.2')] })))
    const made = await world()
    const first = await client(made, view(to(one)))
    const second = await client(made, view(to(two)))
    expect((await first.ask('same.test', 'A')).answers[0]!.data).toBe('198.51.100.1')
    expect((await second.ask('same.test', 'A')).answers[0]!.data).toBe('198.51.100.2')
  })

  it('fetches truncated answers over TCP, and cuts them for clients that take little', async () => {
    const many = (name: string) => [...Array(60).keys()].map((i) => a(name, `198.51.100.${i}`))
    const large = keep(
      await upstream((name, _type, tcp) => (tcp ? { answers: many(name) } : { truncated: true, answers: many(name).slice(0, 1) })),
    )
    const asks = await client(await world(), view(to(large)))
    const whole = await asks.ask('many.test', 'A', { edns: 4096 })
    expect([whole.answers.length, whole.flags]).toEqual([60, ['rd', 'ra']])
    const cut = await asks.ask('many.test', 'A')
    expect(cut.flags).toEqual(['tc', 'rd', 'ra'])
    expect(cut.length).toBeLessThanOrEqual(512)
    expect(cut.answers.length).toBeGreaterThan(10)
    expect([large.asked, large.askedTcp]).toEqual([['many.test'], ['many.test']])
  })

  it('asks from new ports with ids that cannot be guessed', async () => {
    const ids: number[] = []
    const good = keep(
      await upstream((name) => ({
        raw: (query) => {
          ids.push(query.readUInt16BE(0))
          const { questions } = packet.decode(query)
          return packet.encode({ type: 'response', id: query.readUInt16BE(0), flags: 0x180, questions, answers: [a(name, '198.51.100.1')] })
        },
      })),
    )
    const asks = await client(await world(), view(to(good)))
    for (let i = 0; i < 200; i++) await asks.ask(`n${i}.test`, 'A')
    expect(good.ports.size).toBeGreaterThan(150)
    expect(new Set(ids).size).toBeGreaterThan(195)
    const steps = ids.slice(1).map((id, i) => id - ids[i]!)
    expect(new Set(steps).size).toBeGreaterThan(190)
  })

  it('ignores answers with a wrong id, name, type or source', async () => {
    const forgeries: ((query: Buffer) => Buffer)[] = [
      (query) => forged(query, (bytes) => bytes.writeUInt16BE(bytes.readUInt16BE(0) ^ 1, 0)),
      (query) => forged(query, (bytes) => (bytes[13] = 0x7a)),
      (query) => forged(query, (bytes) => (bytes[query.indexOf(0, 12) + 2] = 28)),
      (query) => forged(query, (bytes) => (bytes[2]! &= 0x7f)),
      (query) => forged(query, () => undefined).subarray(0, 10),
    ]
    const spoofer = keep(
      await upstream(async () => {
        await sleep(60)
        return { answers: [a('bank.test', '198.51.100.1')] }
      }),
    )
    const asks = await client(await world(), view(to(spoofer)))
    const { createSocket } = await import('node:dgram')
    const elsewhere = createSocket('udp4')
    const reply = asks.ask('bank.test', 'A')
    while (spoofer.ports.size === 0) await sleep(1)
    const [port] = spoofer.ports
    // Right in everything but the source: another port, and another address.
    for (let id = 0; id < 65_536; id += 1) {
      const bytes = question('bank.test', 'A', { id })
      bytes[2]! |= 0x80
      elsewhere.send(bytes, port, '127.0.0.1')
      if (id % 512 === 0) await sleep(1)
    }
    expect((await reply).lines).toEqual(['bank.test 60 A 198.51.100.1'])
    elsewhere.close()
    // From the right source, but wrong.
    const liar = keep(await upstream(() => ({ raw: (query) => forgeries[count++ % forgeries.length]!(query) })))
    let count = 0
    const lied = keep(await makeWorld({ deadline: 400 }))
    const asksLiar = await client(lied, view(to(liar)))
    for (let i = 0; i < forgeries.length; i++) expect((await asksLiar.ask(`lie${i}.test`, 'A')).code).toBe('SERVFAIL')
    expect((await lied.resolver.statistics())?.strangers).toBeGreaterThanOrEqual(forgeries.length)
  })

  it("reads the host's resolv.conf anew when it changes, also when it is replaced", async () => {
    const folder = await mkdtemp(join(tmpdir(), 'dns-'))
    const file = join(folder, 'resolv.conf')
    const one = keep(await upstream((name) => ({ answers: [a(name, '198.51.100.1')] }), { address: '127.0.0.51', port: 53 }))
    const two = keep(await upstream((name) => ({ answers: [a(name, '198.51.100.2')] }), { address: '127.0.0.52', port: 53 }))
    await writeFile(file, `# comment\n; nameserver 127.0.0.99\nnameserver ${one.address} # trailing\noptions ndots:3 unknown\n`)
    const asks = await client(await world({ hostResolvConf: file }), view({ to: 'host' }))
    expect((await asks.ask('one.test', 'A')).answers[0]!.data).toBe('198.51.100.1')
    await writeFile(`${file}.new`, `nameserver ${two.address}\n`)
    await rename(`${file}.new`, file)
    await sleep(600)
    expect((await asks.ask('two.test', 'A')).answers[0]!.data).toBe('198.51.100.2')
    // As systemd-resolved does it: a link to a file elsewhere.
    await writeFile(join(folder, 'stub.conf'), `nameserver ${one.address}\n`)
    await rm(file)
    await symlink('stub.conf', file)
    await sleep(600)
    expect((await asks.ask('three.test', 'A')).answers[0]!.data).toBe('198.51.100.1')
    await rm(folder, { recursive: true })
  })

  it("asks a sandbox's own servers from inside, and the host's from outside", async () => {
    const made = await world()
    const outside = keep(await upstream((name) => ({ answers: [a(name, '198.51.100.1')] }), { address: '127.0.0.77', port: 5377 }))
    const asks = await client(made, view({ to: 'none' }))
    const { fd } = await made.kernel.socket(asks.at, { type: 'udp', address: '127.0.0.77', port: 5377 })
    const inside = keep(await upstream((name) => ({ answers: [a(name, '198.51.100.2')] }), { fd }))
    const servers = [{ address: '127.0.0.77', port: 5377 }]
    made.resolver.changeSandbox(asks.id, view({ to: 'servers', from: 'sandbox', servers }))
    expect((await asks.ask('one.test', 'A')).answers[0]!.data).toBe('198.51.100.2')
    made.resolver.changeSandbox(asks.id, view({ to: 'servers', from: 'host', servers }))
    expect((await asks.ask('one.test', 'A')).answers[0]!.data).toBe('198.51.100.1')
    expect([outside.asked.length, inside.asked.length]).toEqual([1, 1])
  })

  it('reaches link-local servers through their interface', async () => {
    const made = await world()
    const asks = await client(made, view({ to: 'none' }))
    await made.inside('/proc/self/ns/net', 'ip', ['link', 'add', 'lladdr0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', asks.id])
    for (const args of [
      ['link', 'set', 'lladdr0', 'up'],
      ['addr', 'add', 'fe80::53/64', 'dev', 'lladdr0', 'nodad'],
    ])
      await made.inside('/proc/self/ns/net', 'ip', args)
    for (const args of [
      ['link', 'set', 'eth0', 'up'],
      ['addr', 'add', 'fe80::99/64', 'dev', 'eth0', 'nodad'],
    ])
      await made.inside(asks.at, 'ip', args)
    const server = keep(await upstream(anything, { address: 'fe80::53%lladdr0' }))
    made.resolver.changeSandbox(
      asks.id,
      view({ to: 'servers', from: 'sandbox', servers: [{ address: 'fe80::53%eth0', port: server.port }] }),
    )
    expect((await asks.ask('six.test', 'A')).answers).toHaveLength(1)
    await made.inside('/proc/self/ns/net', 'ip', ['link', 'del', 'lladdr0'])
  })

  it('mixes the case of names when told to, and insists on it', async () => {
    const good = keep(await upstream((name) => ({ answers: [a(name, '198.51.100.1')] })))
    const asks = await client(await world({ randomCase: true }), view(to(good)))
    const name = 'abcdefghijklmnopqrstuvwxyz.example'
    expect((await asks.ask(name, 'A')).question).toBe(name)
    expect(good.asked[0]).not.toBe(name)
    expect(good.asked[0]!.toLowerCase()).toBe(name)
  })

  it('asks servers from before EDNS without it', async () => {
    const old = keep(
      await upstream((name) => ({
        raw: (query) => {
          const { id, questions, additionals } = packet.decode(query)
          const plain = additionals!.length === 0
          return packet.encode({
            type: 'response',
            id,
            flags: 0x180 | (plain ? 0 : 1),
            questions,
            answers: plain ? [a(name, '198.51.100.1')] : [],
          })
        },
      })),
    )
    const asks = await client(await world(), view(to(old)))
    expect((await asks.ask('old.test', 'A')).answers).toHaveLength(1)
    expect((await asks.ask('old2.test', 'A', { edns: 1232 })).edns).toBe(true)
    expect(old.asked).toEqual(['old.test', 'old.test', 'old2.test'])
  })
})

/** An answer to a question, changed. */
function forged(query: Buffer, change: (bytes: Buffer) => void): Buffer {
  const { id, questions } = packet.decode(query)
  const bytes = packet.encode({ type: 'response', id, flags: 0x180, questions, answers: [a(questions![0]!.name, '203.0.113.66')] })
  change(bytes)
  expect(readReply(bytes).answers.length).toBeLessThanOrEqual(1)
  return bytes
}
