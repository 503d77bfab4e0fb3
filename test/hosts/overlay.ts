import { expect, vi } from 'vitest'
import { TestCluster } from './cluster.js'
import type { Host } from './host.js'

export const until = { timeout: 60_000, interval: 100 }

export interface Joined {
  id: string
  address: string
  mac: string
}

/** Waits until a host has heard of a network. */
export const known = (host: Host, network: string): Promise<void> =>
  vi.waitFor(() => host.run(({ controller }, network: string) => void controller.networks.get(network), network), until)

/** Makes a sandbox on a host, where there is none of that name, and joins it. */
export const join = (host: Host, network: string, name: string): Promise<Joined> =>
  host.run(
    async ({ controller }, network: string, name: string) => {
      const sandbox = controller.sandboxes.find(name) ?? (await controller.createSandbox({ name }))
      const endpoint = await sandbox.connect(controller.networks.get(network))
      return { id: endpoint.id, address: endpoint.addresses[0]!.split('/')[0]!, mac: endpoint.mac }
    },
    network,
    name,
  )

export const remove = (host: Host, name: string): Promise<void> =>
  host.run(({ controller }, name: string) => controller.sandboxes.get(name).delete(), name)

/** Runs a program in the namespace of the one network that a host is on. Its output; empty where it is on none. */
export const inNetwork = (host: Host, ...command: string[]): Promise<string> =>
  host.run(async ({ shell }, command: string[]) => {
    const space = (await shell('ls', '/run/netns')).split('\n').find((name) => name.endsWith('-ov'))
    return space === undefined ? '' : shell('nsenter', `--net=/run/netns/${space}`, ...command)
  }, command)

/** MACs and addresses that a host has programmed for others, as the kernel tells it. */
export async function programmed(host: Host): Promise<{ macs: string[]; addresses: string[] }> {
  const fdb = (await inNetwork(host, 'bridge', 'fdb', 'show', 'dev', 'vx0')).split('\n').filter((line) => line.includes(' dst '))
  const neighbours = (await inNetwork(host, 'ip', 'neigh', 'show', 'dev', 'vx0')).split('\n').filter((line) => line.includes('lladdr'))
  return { macs: fdb.map((line) => line.split(' ')[0]!).sort(), addresses: neighbours.map((line) => line.split(' ')[0]!).sort() }
}

export const ping = (host: Host, from: string, to: string): Promise<number> =>
  host.run(
    async ({ controller }, from: string, to: string) => (await controller.sandboxes.get(from).run('ping', ['-c1', '-W1', to])).code ?? -1,
    from,
    to,
  )

export const reaches = (host: Host, from: string, to: string): Promise<void> =>
  vi.waitFor(async () => expect(await ping(host, from, to), `${from} to ${to}`).toBe(0), until)

export const shows = (host: Host, peers: readonly { mac: string; address: string }[]): Promise<void> =>
  vi.waitFor(
    async () =>
      expect(await programmed(host)).toEqual({
        macs: peers.map(({ mac }) => mac).sort(),
        addresses: peers.map(({ address }) => address).sort(),
      }),
    until,
  )

/** Sends a megabyte from sandbox `one` on a host to sandbox `two` on another. Returns how many bytes arrived. */
export async function transfer(from: Host, to: Host, address: string): Promise<number> {
  await to.run(async ({ controller }) => {
    const net = process.getBuiltinModule('node:net')
    const scope = globalThis as { got?: Promise<number> }
    const server = await controller.sandboxes.get('two').listen(net.createServer(), { port: 7001 })
    scope.got = new Promise((resolve) =>
      server.once('connection', (socket) => {
        let bytes = 0
        socket.on('data', (chunk: Buffer) => (bytes += chunk.length))
        socket.on('end', () => {
          socket.end()
          server.close()
          resolve(bytes)
        })
      }),
    )
  })
  await from.run(async ({ controller }, address: string) => {
    const socket = await controller.sandboxes.get('one').dial({ host: address, port: 7001 })
    await new Promise<void>((resolve, reject) => {
      socket.on('error', reject)
      socket.on('close', () => resolve())
      socket.resume()
      socket.end(Buffer.alloc(1_000_000))
    })
  }, address)
  return to.run(() => (globalThis as { got?: Promise<number> }).got!)
}

/** Two hosts, a network on both, and a sandbox `one` on the first and `two` on the second. */
export async function twoHosts(): Promise<{ cluster: TestCluster; a: Host; b: Host; one: Joined; two: Joined }> {
  const cluster = await TestCluster.make()
  const [a, b] = cluster.hosts as [Host, Host]
  await a.run(async ({ controller }) => {
    await controller.createNetwork({ name: 'blue', driver: 'overlay', internal: true })
  })
  await known(b, 'blue')
  return { cluster, a, b, one: await join(a, 'blue', 'one'), two: await join(b, 'blue', 'two') }
}

interface Endpoint {
  node: string
  mac: string
  joined: boolean
  addresses: { address: string }[]
}

/**
 * Every host has in its kernel exactly what the cluster's store says of the others; no address is given twice, and none is
 * kept by nobody. On one network with one subnet of IPv4, all hosts up.
 */
export async function equalToCluster(cluster: TestCluster, hosts: readonly Host[]): Promise<void> {
  await vi.waitFor(async () => {
    const endpoints = (await cluster.records<Endpoint>('endpoint/')).map(({ key, value }) => ({ id: key.split('/').pop()!, ...value }))
    const leases = await cluster.records<{ owner: string; purpose: string }>('ipam/address/')
    const addresses = endpoints.flatMap(({ addresses: own }) => own.map(({ address }) => address))
    expect(new Set(addresses).size, 'no address twice').toBe(addresses.length)
    const owners = leases.filter(({ value }) => value.purpose !== 'gateway').map(({ value }) => value.owner)
    expect(owners.sort(), 'an address for each endpoint, and none for anybody else').toEqual(endpoints.map(({ id }) => id).sort())
    for (const host of hosts) {
      const others = endpoints.filter(({ node, joined }) => joined && node !== host.name)
      expect(await programmed(host), host.name).toEqual({
        macs: others.map(({ mac }) => mac).sort(),
        addresses: others.map(({ addresses: [first] }) => first!.address.split('/')[0]!).sort(),
      })
      const own = await host.run(({ controller }) => controller.networks.list().flatMap(({ endpoints }) => endpoints.map(({ id }) => id)))
      expect(own.sort(), `endpoints of ${host.name}`).toEqual(
        endpoints
          .filter(({ node }) => node === host.name)
          .map(({ id }) => id)
          .sort(),
      )
      expect(await host.run(({ controller }) => controller.check()), host.name).toEqual([])
    }
  }, until)
}
