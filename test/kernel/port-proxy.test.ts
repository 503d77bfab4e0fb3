import dgram from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { Controller, type Endpoint, type NetworkOptions, type PortOptions, type Sandbox } from 'libcnm'
import { Kernel } from 'libcnm/kernel'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { leftBehind, takeCensus, type Census } from '../census.js'
import { OUTSIDE, plugOutside, setBridgeNetfilter, unplugOutside, UPLINK } from '../drivers/outside.js'
import { ask, serve, type Server } from '../drivers/reach.js'
import { needs, needsPrivileges } from '../tools.js'

const FOUR = { pools: [{ subnet: '10.64.0.0/24' }] }
const outside = `/run/netns/${OUTSIDE.name}`
const PORTS: PortOptions[] = [
  { host: 8080, container: 80 },
  { host: 8080, container: 80, protocol: 'udp' },
]

describe.skipIf(needsPrivileges() ?? needs('ip', 'nft'))('the proxy of published ports', () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'cnm-'))
  const open = (): Promise<Controller> => Controller.open({ stateDir, instance: 'proxy' })
  let controller: Controller
  let kernel: Kernel
  let servers: Server[] = []
  let before: Census

  const clean = async (): Promise<void> => {
    for (const server of servers) server.close()
    servers = []
    for (const sandbox of controller.sandboxes.list()) await sandbox.delete()
    for (const network of controller.networks.list()) await network.delete()
  }
  const publish = async (options: Partial<NetworkOptions>, ports = PORTS): Promise<{ sandbox: Sandbox; endpoint: Endpoint }> => {
    const network = await controller.createNetwork({ name: 'front', ipam: FOUR, ...options })
    const sandbox = await controller.createSandbox({ name: 'web' })
    const endpoint = await sandbox.connect(network, { ports })
    servers.push(await serve(kernel, sandbox.netns, 80, 'web'))
    return { sandbox, endpoint }
  }
  const proxy = { options: { port_proxy: 'true' } }
  /** On a busy machine an answer may take longer. */
  const answer = async (from: string, protocol: 'tcp' | 'udp', address: string, port = 8080): Promise<string | undefined> => {
    for (let tries = 0; tries < 8; tries++) {
      const text = await ask(kernel, from, protocol, address, port)
      if (text !== undefined) return text
    }
    return undefined
  }

  beforeAll(async () => {
    setBridgeNetfilter(false)
    plugOutside()
    kernel = await Kernel.open()
    controller = await open()
    // Forwarding stays on; sockets that are opened once are kept, and so is the way back from a sandbox's environment.
    for (const subnet of ['10.64.0.0/24', 'fd00:64::/64']) {
      const { sandbox } = await publish({ ...proxy, enableIPv4: !subnet.includes(':'), ipam: { pools: [{ subnet }] } })
      await sandbox.run('true')
      for (const protocol of ['tcp', 'udp'] as const) await answer('host', protocol, '::1')
      await controller.check()
      await clean()
    }
    before = await takeCensus()
  })
  afterEach(async () => {
    await clean()
    expect(await leftBehind(before)).toEqual([])
  })
  afterAll(async () => {
    await controller.close()
    await kernel.close()
    unplugOutside()
    rmSync(stateDir, { recursive: true, force: true })
  })

  it('is off unless asked for', async () => {
    const { endpoint } = await publish({})
    expect(endpoint.ports.map(({ ways }) => ways)).toEqual([{ ipv4: 'translated' }, { ipv4: 'translated' }])
    expect(await ask(kernel, 'host', 'tcp', '::1', 8080)).toBeUndefined()
    await expect(endpoint.publish([{ host: 8081, container: 80, address: '::1' }])).rejects.toMatchObject({
      code: 'ERR_CNM_INVALID_ARGUMENT',
    })
  })

  it('leads IPv6 of the host to an endpoint that has IPv4 only, and the endpoint says so', async () => {
    const { endpoint } = await publish(proxy)
    expect(endpoint.ports).toEqual([
      { protocol: 'tcp', hostPort: 8080, containerPort: 80, ways: { ipv4: 'translated', ipv6: 'proxied' } },
      { protocol: 'udp', hostPort: 8080, containerPort: 80, ways: { ipv4: 'translated', ipv6: 'proxied' } },
    ])
    expect(endpoint.inspect().Ports).toEqual(endpoint.ports)
    for (const protocol of ['tcp', 'udp'] as const) {
      expect(await answer('host', protocol, '::1')).toBe('web 10.64.0.1')
      expect(await answer(outside, protocol, UPLINK[6])).toBe('web 10.64.0.1')
      // Where rules can do it, they do: the client is seen.
      expect(await answer(outside, protocol, UPLINK[4])).toBe(`web ${OUTSIDE[4]}`)
    }
    await endpoint.unpublish([{ host: 8080, protocol: 'tcp' }])
    expect(await ask(kernel, 'host', 'tcp', '::1', 8080)).toBeUndefined()
    expect(await answer('host', 'udp', '::1')).toBe('web 10.64.0.1')
  })

  it('leads IPv4 of the host to an endpoint that has IPv6 only', async () => {
    const { endpoint } = await publish({ ...proxy, enableIPv4: false, ipam: { pools: [{ subnet: 'fd00:64::/64' }] } })
    expect(endpoint.ports[0]!.ways).toEqual({ ipv4: 'proxied', ipv6: 'translated' })
    for (const protocol of ['tcp', 'udp'] as const) expect(await answer(outside, protocol, UPLINK[4])).toBe('web fd00:64::1')
  })

  it('does nothing where there are rules for both, and takes one address, ranges and what comes later', async () => {
    const both = await publish({ ...proxy, ipam: { pools: [...FOUR.pools, { subnet: 'fd00:64::/64' }] } })
    expect(both.endpoint.ports[0]!.ways).toEqual({ ipv4: 'translated', ipv6: 'translated' })
    await clean()
    const { endpoint } = await publish(proxy, [
      { host: 9000, hostEnd: 9002, container: 79, containerEnd: 81, address: ['::1', '127.0.0.1'] },
    ])
    expect(endpoint.ports.map(({ hostAddress, ways }) => ({ hostAddress, ways }))).toEqual([
      { hostAddress: '::1', ways: { ipv6: 'proxied' } },
      { hostAddress: '127.0.0.1', ways: { ipv4: 'translated' } },
    ])
    expect(await answer('host', 'tcp', '::1', 9001)).toBe('web 10.64.0.1')
    expect(await ask(kernel, outside, 'tcp', UPLINK[6], 9001)).toBeUndefined()
    await endpoint.publish([{ host: 9010, container: 80 }])
    expect(await answer(outside, 'tcp', UPLINK[6], 9010)).toBe('web 10.64.0.1')
    const sctp = await endpoint.publish([{ host: 9020, container: 80, protocol: 'sctp' }])
    expect(sctp).toHaveLength(1)
    expect(endpoint.ports.at(-1)!.ways).toEqual({ ipv4: 'translated' })
  })

  it('keeps every byte, in both directions, and lets one side end first', async () => {
    const { sandbox } = await publish(proxy, [{ host: 8081, container: 81 }])
    const received: Buffer[] = []
    const server = net.createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('data', (data: Buffer) => received.push(data))
      // Only now: the client has ended its side long before.
      socket.on('end', () => socket.end(Buffer.concat([...received, ...received])))
    })
    servers.push(await sandbox.listen(server, { port: 81 }))
    const sent = Buffer.alloc(3_000_000, 'libcnm ')
    const client = net.connect({ host: '::1', port: 8081, allowHalfOpen: true })
    client.end(sent)
    const back = await buffer(client)
    expect(Buffer.concat(received).equals(sent)).toBe(true)
    expect(back.equals(Buffer.concat([sent, sent]))).toBe(true)
  })

  it('tells a client when nobody is there, and ends its connections with the port', async () => {
    const { sandbox, endpoint } = await publish(proxy, [
      { host: 8081, container: 81 },
      { host: 8082, container: 82 },
    ])
    const refused = net.connect(8081, '::1')
    await expect(once(refused, 'data')).rejects.toMatchObject({ code: 'ECONNRESET' })
    servers.push(
      await sandbox.listen(
        net.createServer((socket) => socket.on('error', () => undefined).write('hello')),
        { port: 82 },
      ),
    )
    const client = net.connect(8082, '::1').on('error', () => undefined)
    await once(client, 'data')
    const closed = once(client, 'close')
    await endpoint.unpublish([{ host: 8082 }])
    await closed
  })

  it('is there again after a restart', async () => {
    await publish(proxy)
    await controller.close()
    expect(await ask(kernel, 'host', 'tcp', '::1', 8080)).toBeUndefined()
    expect(await answer(outside, 'tcp', UPLINK[4])).toBe(`web ${OUTSIDE[4]}`)
    controller = await open()
    for (const protocol of ['tcp', 'udp'] as const) expect(await answer(outside, protocol, UPLINK[6])).toBe('web 10.64.0.1')
  })

  it('keeps datagrams of several clients apart', async () => {
    await publish(proxy)
    const clients = await Promise.all(
      [1, 2, 3].map(async () => {
        const socket = dgram.createSocket('udp6')
        await new Promise<void>((resolve) => socket.bind(0, '::1', resolve))
        return socket
      }),
    )
    const answers = clients.map((client) => once(client, 'message', { signal: AbortSignal.timeout(10_000) }))
    for (const client of clients) client.send('?', 8080, '::1')
    for (const [message] of (await Promise.all(answers)) as [Buffer][]) expect(message.toString()).toBe('web 10.64.0.1')
    for (const client of clients) client.close()
  })
})
