import { spawn } from 'node:child_process'
import dgram from 'node:dgram'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Kernel } from 'libcnm/kernel'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { bridge } from '../../drivers/bridge/index.js'
import { Ports } from '../../src/controller/ports.js'
import type { PortView } from '../../src/contracts/index.js'
import { OUTSIDE, plugOutside, setBridgeNetfilter, unplugOutside, UPLINK } from '../drivers/outside.js'
import { ask, serve } from '../drivers/reach.js'
import { bare, DriverWorld } from '../drivers/world.js'
import { needs, needsPrivileges } from '../tools.js'

const BOTH = { families: [4, 6] as const }
const web = { id: 'w'.repeat(64), name: 'endpoint web of network front' }
const db = { id: 'd'.repeat(64), name: 'endpoint db of network front' }
const openFiles = (): number => readdirSync('/proc/self/fd').length

/** Whether a program of the host can have the port. */
async function free(port: number, host: string, protocol: 'tcp' | 'udp' = 'tcp'): Promise<boolean> {
  const socket = protocol === 'tcp' ? net.createServer() : dgram.createSocket(host.includes(':') ? 'udp6' : 'udp4')
  const outcome = once(socket, 'listening').then(
    () => true,
    () => false,
  )
  if (socket instanceof net.Server) socket.listen(port, host)
  else socket.bind(port, host)
  const result = await outcome
  if (result || socket instanceof dgram.Socket) await new Promise<void>((resolve) => socket.close(() => resolve()))
  return result
}

describe.skipIf(needsPrivileges())('host ports', () => {
  let kernel: Kernel
  let ports: Ports
  let range: string

  beforeAll(async () => {
    kernel = await Kernel.open()
    range = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8')
    ports = new Ports(kernel)
    // What is opened once and kept: the thread's own handles, Node's.
    await ports.publish(web, [{ container: 80, host: 8080 }], BOTH)
    await ports.close()
    for (const protocol of ['tcp', 'udp'] as const) await free(8080, '::', protocol)
  })
  afterEach(async () => {
    await ports.close()
    writeFileSync('/proc/sys/net/ipv4/ip_local_port_range', range)
    writeFileSync('/proc/sys/net/ipv4/ip_local_reserved_ports', '\n')
  })
  afterAll(() => kernel.close())

  it('are held by the kernel from publishing to withdrawal, in both families, and leave no descriptor', async () => {
    const before = openFiles()
    const views = await ports.publish(
      web,
      [
        { container: 80, host: 8080 },
        { container: 53, host: 8053, protocol: 'udp' },
      ],
      BOTH,
    )
    expect(views).toEqual([
      { protocol: 'tcp', hostPort: 8080, containerPort: 80 },
      { protocol: 'udp', hostPort: 8053, containerPort: 53 },
    ])
    for (const host of ['0.0.0.0', '::', '127.0.0.1', '::1']) expect(await free(8080, host)).toBe(false)
    expect(await free(8053, '127.0.0.1', 'udp')).toBe(false)
    await ports.withdraw(web, [views[0]!])
    expect(await free(8080, '::')).toBe(true)
    expect(await free(8053, '127.0.0.1', 'udp')).toBe(false)
    await ports.withdraw(web)
    expect(await free(8053, '127.0.0.1', 'udp')).toBe(true)
    await vi.waitFor(() => expect(openFiles()).toBe(before))
  })

  it('of one address leave the others free', async () => {
    await ports.publish(web, [{ container: 80, host: 8080, address: '127.0.0.1' }], BOTH)
    expect(await free(8080, '127.0.0.1')).toBe(false)
    expect(await free(8080, '::1')).toBe(true)
  })

  it('drop what comes before the rules are there: nobody is refused', async () => {
    await ports.publish(web, [{ container: 80, host: 8080 }], BOTH)
    expect(await ask(kernel, 'host', 'tcp', '127.0.0.1', 8080)).toBeUndefined()
    const socket = net.connect(8080, '127.0.0.1')
    const outcome = await Promise.race([
      once(socket, 'error').then(() => 'refused'),
      once(socket, 'connect').then(() => 'taken'),
      sleep(300, 'nothing'),
    ])
    socket.destroy()
    expect(outcome).toBe('nothing')
  })

  it('name the endpoint that has them', async () => {
    await ports.publish(db, [{ container: 5432, host: 5432, containerEnd: 5440 }], BOTH)
    await expect(ports.publish(web, [{ container: 80, host: 5435, address: '127.0.0.1' }], BOTH)).rejects.toMatchObject({
      code: 'ERR_CNM_PORT_IN_USE',
      message: '127.0.0.1:5435/tcp is in use by endpoint db of network front',
    })
  })

  it('name the process that has them', async () => {
    const child = spawn(process.execPath, ['-e', "require('net').createServer().listen(8080, () => console.log('up'))"])
    await once(child.stdout, 'data')
    try {
      await expect(ports.publish(web, [{ container: 80, host: 8080 }], BOTH)).rejects.toMatchObject({
        code: 'ERR_CNM_PORT_IN_USE',
        message: expect.stringMatching(new RegExp(`^\\[::\\]:8080/tcp is in use by \\S+ \\(pid ${child.pid}\\)$`)) as string,
      })
    } finally {
      child.kill()
      await once(child, 'exit')
    }
  })

  it('are all had or none', async () => {
    const before = openFiles()
    await ports.publish(db, [{ container: 80, host: 8082 }], BOTH)
    const requests = [{ container: 1, host: 8081 }, { container: 2, host: 8082 }, { container: 3 }]
    await expect(ports.publish(web, requests, BOTH)).rejects.toMatchObject({ code: 'ERR_CNM_PORT_IN_USE' })
    expect(await free(8081, '::')).toBe(true)
    expect(ports.list().map(({ owner }) => owner.name)).toEqual([db.name])
    await ports.withdraw(db)
    await vi.waitFor(() => expect(openFiles()).toBe(before))
  })

  it('that are asked for exactly come before those of a range', async () => {
    const views = await ports.publish(
      web,
      [
        { container: 1, host: 9000, hostEnd: 9002 },
        { container: 2, host: 9000 },
        { container: 3, host: 9001 },
      ],
      BOTH,
    )
    expect(views.map(({ hostPort, containerPort }) => [hostPort, containerPort])).toEqual([
      [9002, 1],
      [9000, 2],
      [9001, 3],
    ])
    await expect(ports.publish(db, [{ container: 1, host: 9000, hostEnd: 9002 }], BOTH)).rejects.toThrow(
      'like every other port from 9000 on',
    )
  })

  it('that nobody names come from the kernel’s range, past what is reserved or taken', async () => {
    writeFileSync('/proc/sys/net/ipv4/ip_local_port_range', '40000 40009')
    writeFileSync('/proc/sys/net/ipv4/ip_local_reserved_ports', '40000,40003-40004')
    const server = net.createServer().listen(40001)
    await once(server, 'listening')
    try {
      const numbers = async (count: number): Promise<number[]> =>
        (await ports.publish(web, Array(count).fill({ container: 80 }), BOTH)).map(({ hostPort }) => hostPort)
      expect(await numbers(2)).toEqual([40002, 40005])
      expect((await ports.publish(db, [{ container: 80, containerEnd: 82 }], BOTH))[0]).toMatchObject({
        hostPort: 40006,
        hostPortEnd: 40008,
      })
      expect(await numbers(1)).toEqual([40009])
      await expect(numbers(1)).rejects.toMatchObject({ code: 'ERR_CNM_PORTS_EXHAUSTED' })
    } finally {
      server.close()
    }
  })

  it('get one number for several addresses', async () => {
    const server = net.createServer().listen(40001, '127.0.0.1')
    await once(server, 'listening')
    writeFileSync('/proc/sys/net/ipv4/ip_local_port_range', '40001 40002')
    const views = await ports.publish(web, [{ container: 80, address: ['::1', '127.0.0.1'] }], BOTH)
    server.close()
    expect(views.map(({ hostAddress, hostPort }) => [hostAddress, hostPort])).toEqual([
      ['::1', 40002],
      ['127.0.0.1', 40002],
    ])
  })

  it('on an address that is not there are refused', async () => {
    await expect(ports.publish(web, [{ container: 80, host: 80, address: '203.0.113.1' }], BOTH)).rejects.toMatchObject({
      code: 'ERR_CNM_ADDRESS_NOT_FOUND',
    })
  })

  it('are found by number, protocol and address', async () => {
    const views = await ports.publish(
      web,
      [
        { container: 80, host: 8080 },
        { container: 80, host: 8080, protocol: 'udp' },
      ],
      BOTH,
    )
    expect(ports.find(web, [{ host: 8080, protocol: 'udp' }])).toEqual([views[1]])
    expect(ports.find(web, [{ host: 8080 }])).toEqual(views)
    expect(() => ports.find(web, [{ host: 8081 }])).toThrow('endpoint web of network front has not published 8081')
  })

  it('are held again after a restart, and whoever took one meanwhile is named', async () => {
    const server = net.createServer().listen(8081)
    await once(server, 'listening')
    const had: PortView[] = [
      { protocol: 'tcp', hostPort: 8080, containerPort: 80 },
      { protocol: 'tcp', hostPort: 8081, containerPort: 81 },
    ]
    const conflicts = await ports.restore(web, had, BOTH)
    server.close()
    expect(conflicts).toEqual([{ port: had[1], holder: expect.stringContaining(`(pid ${process.pid})`) as string }])
    expect(await free(8080, '::')).toBe(false)
  })
})

describe.skipIf(needsPrivileges() ?? needs('ip', 'nft'))('connections of published ports', () => {
  it('a client that keeps sending reaches the next target within a second, and nobody else’s flow is cut', async () => {
    setBridgeNetfilter(false)
    plugOutside()
    await using world = await DriverWorld.open(bridge())
    const ports = new Ports(world.kernel)
    try {
      const network = await world.network({}, { ipv6: false })
      const [first, second] = [await world.join('first', network), await world.join('second', network)]
      const servers = [
        await serve(world.kernel, '/run/netns/first', 53, 'first'),
        await serve(world.kernel, '/run/netns/second', 53, 'second'),
        await serve(world.kernel, '/run/netns/second', 54, 'bystander'),
      ]
      const owner = (member: typeof first) => ({ id: member.view.id, name: member.view.name })
      const publishing = { families: [4] as const }
      const publish = async (member: typeof first, host: number, container: number): Promise<void> => {
        const views = await ports.publish(owner(member), [{ protocol: 'udp', host, container }], publishing)
        await world.describe(member, [...member.view.ports, ...views])
        await ports.forgetConnections(views, [bare(member, 4)], publishing)
      }
      await publish(second, 5354, 54)
      await publish(first, 5353, 53)
      const [client, bystander] = [await steadyClient(world.kernel, 5353), await steadyClient(world.kernel, 5354)]
      expect(await client.next()).toBe(`first ${OUTSIDE[4]}`)
      expect(await bystander.next()).toBe(`bystander ${OUTSIDE[4]}`)
      const flow = flowOf(5354)
      await world.describe(first, [])
      await ports.withdraw(owner(first))
      await ports.forgetConnections([{ protocol: 'udp', hostPort: 5353, containerPort: 53 }], [bare(first, 4)], publishing)
      await sleep(100)
      await publish(second, 5353, 53)
      const switched = Date.now()
      while ((await client.next()) !== `second ${OUTSIDE[4]}`) expect(Date.now() - switched).toBeLessThan(1000)
      expect(flowOf(5354)).toBe(flow)
      for (const each of [client, bystander, ...servers]) each.close()
    } finally {
      await ports.close()
      await world.clear()
      unplugOutside()
    }
  })
})

/** The connection table's entry of a host port, without what changes by itself. */
function flowOf(port: number): string | undefined {
  const line = readFileSync('/proc/net/nf_conntrack', 'utf8')
    .split('\n')
    .find((each) => each.includes(`dst=${UPLINK[4]} `) && each.includes(`dport=${port} `))
  return line?.replace(/ +\d+ (?=src)/, ' ').replace(/packets=\d+ bytes=\d+ /g, '')
}

/** A UDP client outside that sends from one port, every 20 ms, whatever comes back. */
async function steadyClient(kernel: Kernel, port: number) {
  const { fd } = await kernel.socket(`/run/netns/${OUTSIDE.name}`, { type: 'udp', address: '0.0.0.0', port: 0 })
  const socket = dgram.createSocket('udp4')
  socket.on('error', () => undefined)
  const listening = once(socket, 'listening')
  socket.bind({ fd })
  await listening
  const timer = setInterval(() => socket.send('?', port, UPLINK[4], () => undefined), 20)
  return {
    next: async (): Promise<string> => ((await once(socket, 'message', { signal: AbortSignal.timeout(3000) })) as [Buffer])[0].toString(),
    close() {
      clearInterval(timer)
      socket.close()
    },
  }
}
