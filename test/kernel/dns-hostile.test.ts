import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { DnsResolver, openResolverSockets } from 'libcnm/drivers/dns'
import { Kernel } from 'libcnm/kernel'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { needsPrivileges } from '../tools.js'
import { question, readReply, udpClient, type Client } from './dns-world.js'

const PACKETS = 100_000
const STREAMS = 10_000
const AT_ONCE = 100
const MEGABYTE = 1 << 20

/** Always the same numbers (xorshift), so that a failure can be repeated. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

const framed = (message: Buffer, length = message.length): Buffer => {
  const prefix = Buffer.alloc(2)
  prefix.writeUInt16BE(length)
  return Buffer.concat([prefix, message])
}

describe.skipIf(needsPrivileges())('hostile clients', () => {
  let kernel: Kernel
  let resolver: DnsResolver
  let client: Client
  let port: number
  const faults: Error[] = []

  beforeEach(async () => {
    kernel = await Kernel.open()
    resolver = new DnsResolver({ onFault: (error) => faults.push(error), tuning: { idle: 1500 } })
    resolver.putNetwork({ id: 'n', name: 'front', endpoints: [{ id: 'e', names: ['web'], addresses: ['10.1.0.5'] }] })
    const { udp, tcp, ports } = await openResolverSockets(kernel, 'host', 4)
    resolver.addSandbox({ id: 's', udp: [udp], tcp: [tcp], view: { networks: ['n'], forwarding: { to: 'none' } } })
    client = await udpClient(kernel, 'host', { address: '127.0.0.11', port: ports.udp })
    port = ports.tcp
  })
  afterEach(async () => {
    await client.close()
    await resolver.close()
    await kernel.close()
    expect(faults).toEqual([])
  })

  it(`${PACKETS} malformed packets: the next good question is answered, memory does not grow`, async () => {
    const random = randomNumbers(20_260_801)
    client.socket.setRecvBufferSize(4 << 20)
    const good = question('web', 'A', { edns: 1232 })
    const send = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) {
        const bytes = i % 2 === 0 ? Buffer.from(good) : Buffer.alloc(random(i % 100 === 1 ? 9000 : 600))
        if (i % 2 === 0) for (let k = random(6); k >= 0; k--) bytes[random(bytes.length)] = random(256)
        else for (let k = 0; k < bytes.length; k++) bytes[k] = random(256)
        client.socket.send(i % 4 === 2 ? bytes.subarray(0, random(bytes.length)) : bytes, client.server.port, client.server.address)
        if (i % 200 === 199) await sleep(1)
      }
      // Queues may have been full: ask again, as clients do.
      let answer: Buffer | undefined
      for (let i = 0; i < 20 && answer === undefined; i++) answer = await client.exchange(question('web', 'A', { id: 77 }), 500)
      expect(readReply(answer!).lines).toEqual(['web 0 A 10.1.0.5'])
    }
    await send(PACKETS / 2)
    const halfway = (await resolver.statistics())!
    await send(PACKETS / 2)
    const end = (await resolver.statistics())!
    expect(end.malformed).toBeGreaterThan(PACKETS / 4)
    expect(end.memory.external - halfway.memory.external).toBeLessThan(MEGABYTE)
    expect(end.memory.heapUsed - halfway.memory.heapUsed).toBeLessThan(16 * MEGABYTE)
  })

  it(`${STREAMS} broken TCP streams: no connection stays, others are served meanwhile`, async () => {
    const random = randomNumbers(4711)
    const good = framed(question('web', 'A'))
    const many = Buffer.concat(Array<Buffer>(200).fill(good))
    const kinds: ((socket: Socket) => unknown)[] = [
      (socket) => socket.end(good.subarray(0, 1)),
      (socket) => socket.end(good.subarray(0, 5 + random(10))),
      (socket) => socket.write(good.subarray(0, 9), () => socket.resetAndDestroy()),
      (socket) => socket.end(framed(Buffer.alloc(20), 65_535)),
      (socket) => socket.end(framed(Buffer.alloc(0))),
      (socket) => socket.end(Buffer.from('GET / HTTP/1.1\r\nHost: web\r\n\r\n')),
      (socket) => socket.write(many, () => socket.resetAndDestroy()),
      (socket) => socket.end(Buffer.concat([many, good.subarray(0, 4)])),
      (socket) => socket.end(framed(Buffer.from([1, 2, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0]))),
      (socket) => socket.destroy(),
    ]
    const one = async (i: number): Promise<void> => {
      const socket = connect(port, '127.0.0.11')
      socket.on('error', () => undefined)
      // events.once() would fail with the errors that are the point here.
      const closed = new Promise((resolve) => socket.once('close', resolve))
      socket.once('connect', () => kinds[i % kinds.length]!(socket.resume()))
      await closed
    }
    const attack = async (from: number, to: number): Promise<void> => {
      for (let i = from; i < to; i += AT_ONCE) {
        await Promise.all([...Array(AT_ONCE).keys()].map((k) => one(i + k)))
        if (i % 1000 === 0) expect((await client.ask('web', 'A')).code).toBe('NOERROR')
      }
    }
    await attack(0, STREAMS / 2)
    const halfway = (await resolver.statistics())!
    await attack(STREAMS / 2, STREAMS)
    const end = (await resolver.statistics())!
    expect(end.connections).toBe(0)
    expect(end.memory.external - halfway.memory.external).toBeLessThan(MEGABYTE)
    expect(end.memory.heapUsed - halfway.memory.heapUsed).toBeLessThan(16 * MEGABYTE)
  }, 120_000)

  it('closes connections that say nothing, or never finish a question', async () => {
    const idle = connect(port, '127.0.0.11').resume()
    const slow = connect(port, '127.0.0.11').resume()
    const slowClosed = once(slow, 'close')
    const bytes = framed(question('web', 'A'))
    const drip = setInterval(() => slow.write(bytes.subarray(0, 1), () => undefined), 100)
    slow.on('error', () => undefined)
    const started = performance.now()
    await once(idle, 'close')
    expect(performance.now() - started).toBeGreaterThan(1000)
    await slowClosed
    clearInterval(drip)
    expect((await resolver.statistics())?.connections).toBe(0)
  })

  it('lets new connections in when old ones are held open, and counts them all', async () => {
    const held = await Promise.all(
      [...Array(100).keys()].map(async () => {
        const socket = connect(port, '127.0.0.11')
        await once(socket, 'connect')
        return socket.on('error', () => undefined).resume()
      }),
    )
    const socket = connect(port, '127.0.0.11')
    socket.write(framed(question('web', 'A')))
    const [answer] = (await once(socket, 'data')) as [Buffer]
    expect(readReply(answer.subarray(2)).lines).toEqual(['web 0 A 10.1.0.5'])
    expect((await resolver.statistics())?.connections).toBeLessThanOrEqual(64)
    for (const one of [...held, socket]) one.destroy()
  })

  it('answers many questions in one segment, and what is half there when the rest comes', async () => {
    const count = 500
    const all = Buffer.concat([...Array(count).keys()].map((id) => framed(question('web', 'A', { id }))))
    const socket = connect(port, '127.0.0.11')
    let received = Buffer.alloc(0)
    socket.on('data', (data) => (received = Buffer.concat([received, data])))
    socket.write(all.subarray(0, 7))
    await sleep(50)
    socket.end(all.subarray(7))
    await once(socket, 'close')
    const ids: number[] = []
    for (let at = 0; at < received.length; at += 2 + received.readUInt16BE(at)) ids.push(received.readUInt16BE(at + 2))
    expect(ids).toEqual([...Array(count).keys()])
  })

  it('stops reading from a client that does not take its answers', async () => {
    resolver.putNetwork({
      id: 'n',
      name: 'front',
      endpoints: [...Array(2000).keys()].map((i) => ({ id: `m${i}`, names: ['many'], addresses: [`10.2.${i >> 8}.${i & 255}`] })),
    })
    const socket = connect(port, '127.0.0.11')
    socket.on('error', () => undefined)
    socket.pause()
    const closed = once(socket, 'close')
    // Answers of 32 KB to questions of 22 bytes.
    for (let i = 0; i < 20; i++) socket.write(Buffer.concat(Array<Buffer>(500).fill(framed(question('many', 'A')))))
    await sleep(500)
    const { memory, queries } = (await resolver.statistics())!
    expect(queries).toBeLessThan(5000)
    expect(memory.external).toBeLessThan(20 * MEGABYTE)
    expect((await client.ask('many', 'A')).flags).toContain('tc')
    // And is rid of it after a while.
    await expect.poll(async () => (await resolver.statistics())?.connections, { timeout: 15_000 }).toBe(0)
    socket.destroy()
    await closed
  })
})
