import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { needs, needsPrivileges } from '../tools.js'
import { a, makeWorld, question, udpClient, upstream } from './dns-world.js'

const QUESTIONS = 5000
const FIRST_LOCAL = 20_000
/** An A record of the question's name, 198.51.100.1, TTL 60. */
const RECORD = Buffer.from('c00c00010001' + '0000003c' + '0004c6336401', 'hex')

/** A server that costs little, so that the test measures the resolver. Keeps the names asked. */
async function plainServer(answers: boolean): Promise<{ port: number; asked: string[]; close(): void }> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 16 << 20 })
  const asked: string[] = []
  socket.on('message', (query, from) => {
    const end = query.indexOf(0, 12) + 5
    asked.push(query.toString('latin1', 12, end))
    if (!answers) return
    const reply = Buffer.concat([query.subarray(0, end), RECORD])
    reply.set([0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0], 2)
    socket.send(reply, from.port, from.address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return { port: socket.address().port, asked, close: () => socket.close() }
}

describe.skipIf(needsPrivileges() ?? needs('ip', 'nsenter'))('many questions at once', () => {
  it(`answers ${QUESTIONS} with one of two servers dead, asks the other once for each, and loses no local name`, async () => {
    const dead = await plainServer(false)
    const good = await plainServer(true)
    const world = await makeWorld()
    world.resolver.putNetwork({ id: 'n', name: 'front', endpoints: [{ id: 'e', names: ['web'], addresses: ['10.1.0.5'] }] })
    const servers = [dead, good].map(({ port }) => ({ address: '127.0.0.1', port }))
    const { at } = await world.sandbox('load', { networks: ['n'], forwarding: { to: 'servers', from: 'host', servers } })
    const client = await udpClient(world.kernel, at)
    await client.ask('web', 'A')
    client.socket.removeAllListeners('message')
    client.socket.setRecvBufferSize(8 << 20)

    const sentAt = new Map<number, number>()
    const times: number[] = []
    const locals: number[] = []
    const codes = new Set<number>()
    client.socket.on('message', (bytes) => {
      const id = bytes.readUInt16BE(0)
      codes.add(bytes[3]! & 0xf)
      ;(id >= FIRST_LOCAL ? locals : times).push(performance.now() - sentAt.get(id)!)
      sentAt.delete(id)
    })
    const send = (name: string, id: number): void => {
      sentAt.set(id, performance.now())
      client.socket.send(question(name, 'A', { id }), 53, '127.0.0.11')
    }
    for (let i = 0; i < QUESTIONS; i++) {
      send(`q${i}.test`, i)
      if (i % 10 === 0) send('web', FIRST_LOCAL + i)
      // A client's burst, in pieces that its own send buffer takes.
      if (i % 100 === 99) await sleep(1)
    }
    for (let waited = 0; sentAt.size > 0 && waited < 10_000; waited += 20) await sleep(20)
    for (const list of [times, locals]) list.sort((x, y) => x - y)
    const at99 = (list: number[]): number => list[Math.floor(list.length * 0.99)]!
    console.log(
      `forwarded p50 ${times[times.length >> 1]!.toFixed(0)} ms, p99 ${at99(times).toFixed(0)} ms; local p99 ${at99(locals).toFixed(0)} ms`,
    )
    expect([times.length, locals.length, sentAt.size]).toEqual([QUESTIONS, QUESTIONS / 10, 0])
    expect(codes).toEqual(new Set([0]))
    expect(at99(times)).toBeLessThan(3000)
    // Once each; what the loaded machine lost on the way is asked again.
    expect(good.asked.length).toBeLessThan(QUESTIONS * 1.01)
    expect(new Set(good.asked).size).toBe(QUESTIONS)
    expect((await world.resolver.statistics())?.waiting).toBe(0)
    // Having proved dead, it is left alone.
    const before = dead.asked.length
    for (let i = 0; i < 20; i++) send(`later${i}.test`, i)
    while (sentAt.size > 0) await sleep(5)
    expect(dead.asked.length - before).toBeLessThan(5)

    await client.close()
    await world.close()
    good.close()
    dead.close()
    expect(world.faults).toEqual([])
  })

  it('lets questions beyond the limits wait in line, and refuses what is beyond that', async () => {
    let answering = false
    const held: (() => void)[] = []
    const slow = await upstream(async (name) => {
      if (!answering) await new Promise<void>((resolve) => held.push(resolve))
      return { answers: [a(name, '198.51.100.1')] }
    })
    const world = await makeWorld({ inFlight: 4, queued: 4, waitingPerSandbox: 10 })
    const view = {
      networks: [],
      forwarding: { to: 'servers' as const, from: 'host' as const, servers: [{ address: slow.address, port: slow.port }] },
    }
    const client = await udpClient(world.kernel, (await world.sandbox('limits', view)).at)
    const replies = [...Array(12).keys()].map((i) => client.ask(`q${i}.test`, 'A', { id: i }))
    while (slow.asked.length < 4) await sleep(5)
    const refused = await Promise.all(replies.slice(8))
    expect(refused.map((reply) => reply.code)).toEqual(Array(4).fill('SERVFAIL'))
    expect(slow.asked).toHaveLength(4)
    answering = true
    for (const release of held) release()
    expect((await Promise.all(replies.slice(0, 8))).map((reply) => reply.code)).toEqual(Array(8).fill('NOERROR'))
    expect(slow.asked).toHaveLength(8)
    await client.close()
    await world.close()
    await slow.close()
  })
})
