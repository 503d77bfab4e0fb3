import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { inRouter, TestCluster } from '../hosts/cluster.js'
import type { Host } from '../hosts/host.js'
import { needs, needsPrivileges } from '../tools.js'

const until = { timeout: 60_000, interval: 100 }

/** Makes a sandbox on a host and joins it. */
const join = (host: Host, network: string, name: string): Promise<{ id: string; address: string; mac: string }> =>
  host.run(
    async ({ controller }, network: string, name: string) => {
      const sandbox = controller.sandboxes.find(name) ?? (await controller.createSandbox({ name }))
      const endpoint = await sandbox.connect(controller.networks.get(network))
      return { id: endpoint.id, address: endpoint.addresses[0]!.split('/')[0]!, mac: endpoint.mac }
    },
    network,
    name,
  )

const remove = (host: Host, name: string): Promise<void> =>
  host.run(({ controller }, name: string) => controller.sandboxes.get(name).delete(), name)

/** MACs and addresses that a host has programmed for others, as the kernel tells it. */
const programmed = (host: Host): Promise<{ macs: string[]; addresses: string[] }> =>
  host.run(async ({ shell }) => {
    const space = (await shell('ls', '/run/netns')).split('\n').find((name) => name.endsWith('-ov'))
    if (space === undefined) return { macs: [], addresses: [] }
    const within = (...command: string[]): Promise<string> => shell('nsenter', `--net=/run/netns/${space}`, ...command)
    const fdb = (await within('bridge', 'fdb', 'show', 'dev', 'vx0')).split('\n').filter((line) => line.includes(' dst '))
    const neighbours = (await within('ip', 'neigh', 'show', 'dev', 'vx0')).split('\n').filter((line) => line.includes('lladdr'))
    return { macs: fdb.map((line) => line.split(' ')[0]!).sort(), addresses: neighbours.map((line) => line.split(' ')[0]!).sort() }
  })

const ping = (host: Host, from: string, to: string): Promise<number> =>
  host.run(
    async ({ controller }, from: string, to: string) => (await controller.sandboxes.get(from).run('ping', ['-c1', '-W1', to])).code ?? -1,
    from,
    to,
  )

const reaches = (host: Host, from: string, to: string): Promise<void> =>
  vi.waitFor(async () => expect(await ping(host, from, to), `${from} to ${to}`).toBe(0), until)

const shows = (host: Host, peers: readonly { mac: string; address: string }[]): Promise<void> =>
  vi.waitFor(
    async () =>
      expect(await programmed(host)).toEqual({
        macs: peers.map(({ mac }) => mac).sort(),
        addresses: peers.map(({ address }) => address).sort(),
      }),
    until,
  )

describe.skipIf(needsPrivileges() ?? needs('etcd', 'etcdctl', 'ip', 'ping', 'bridge'))('overlay: faults', { timeout: 240_000 }, () => {
  let cluster: TestCluster
  let a: Host, b: Host
  let one: { address: string; mac: string }, two: { id: string; address: string; mac: string }
  beforeAll(async () => {
    cluster = await TestCluster.make()
    ;[a, b] = cluster.hosts as [Host, Host]
    await a.run(async ({ controller }) => {
      await controller.createNetwork({ name: 'blue', driver: 'overlay', internal: true })
    })
    await vi.waitFor(() => b.run(({ controller }) => void controller.networks.get('blue')), until)
    one = await join(a, 'blue', 'one')
    two = await join(b, 'blue', 'two')
    await shows(a, [two])
    await shows(b, [one])
    await reaches(a, 'one', two.address)
  }, 120_000)
  afterAll(() => cluster?.[Symbol.asyncDispose]())

  it('an entry that is removed or falsified by hand is put right', async () => {
    await a.run(
      async ({ shell }, mac: string, address: string) => {
        const space = (await shell('ls', '/run/netns')).split('\n').find((name) => name.endsWith('-ov'))!
        const within = (...command: string[]): Promise<string> => shell('nsenter', `--net=/run/netns/${space}`, ...command)
        await within('bridge', 'fdb', 'del', mac, 'dev', 'vx0')
        await within('ip', 'neigh', 'replace', address, 'dev', 'vx0', 'lladdr', '02:de:ad:00:00:01', 'nud', 'permanent')
      },
      two.mac,
      two.address,
    )
    await a.run(({ controller }) => controller.repair().then(() => undefined))
    await shows(a, [two])
    expect(await a.run(({ controller }) => controller.check())).toEqual([])
    await reaches(a, 'one', two.address)
  })

  it('a host that cannot reach etcd keeps its traffic, leaves and deletes; what the cluster must know is told later', async () => {
    await join(b, 'blue', 'leaver')
    await cluster.cutFromEtcd(b)
    await vi.waitFor(
      async () =>
        expect(await b.run(({ events }) => events.filter(({ name }) => name === 'cluster:contact').at(-1)?.event)).toEqual({
          inTouch: false,
        }),
      until,
    )
    expect(await ping(b, 'two', one.address)).toBe(0)
    await b.run(async ({ controller }) => {
      const local = await controller.createNetwork({ name: 'local' })
      await controller.sandboxes.get('two').connect(local)
      await controller.sandboxes.get('two').disconnect(local)
      await local.delete()
    })
    await remove(b, 'leaver')
    await expect(join(b, 'blue', 'refused')).rejects.toMatchObject({ code: 'ERR_CNM_CLUSTER_UNREACHABLE' })
    // Given up by the other host after a while, and taken again when it is back.
    await shows(a, [])
    await cluster.healToEtcd(b)
    await shows(a, [two])
    await reaches(a, 'one', two.address)
    await vi.waitFor(
      async () =>
        expect(
          (await cluster.etcdctl('get', '--prefix', '--keys-only', '/libcnm/node-endpoint/host2/')).trim().split('\n').filter(Boolean),
        ).toHaveLength(1),
      until,
    )
    const addresses = (await cluster.etcdctl('get', '--prefix', '--keys-only', '/libcnm/ipam/address/')).trim().split('\n').filter(Boolean)
    expect(addresses, 'the gateway, one, two').toHaveLength(3)
    await b.run(({ controller }) => controller.sandboxes.get('refused').delete())
  })

  it('partition and heal, with compaction meanwhile, end equal to the cluster', async () => {
    await cluster.cut(b)
    await shows(a, [])
    const three = await join(a, 'blue', 'three')
    const gone = await join(a, 'blue', 'gone')
    await remove(a, 'gone')
    expect(gone.address).not.toBe(two.address)
    const status = JSON.parse(await cluster.etcdctl('endpoint', 'status', '-w', 'json')) as { Status: { header: { revision: number } } }[]
    await cluster.etcdctl('compact', String(status[0]!.Status.header.revision))
    await cluster.heal(b)
    await shows(b, [one, three])
    await shows(a, [two])
    await reaches(b, 'two', three.address)
    await remove(a, 'three')
    await shows(b, [one])
  })

  it('etcd killed and started again disturbs nothing', async () => {
    await cluster.etcd.kill()
    expect(await ping(a, 'one', two.address)).toBe(0)
    await cluster.etcd.start()
    const three = await vi.waitFor(() => join(a, 'blue', 'three'), until)
    await shows(b, [one, three])
    await remove(a, 'three')
    await shows(b, [one])
    await shows(a, [two])
  })

  it('a host whose controller is killed is withdrawn after a while, and comes back with what it had', async () => {
    await b.kill()
    await vi.waitFor(
      async () => expect(await a.run(({ controller }) => controller.nodes.find(({ name }) => name === 'host2')?.state)).toBe('down'),
      until,
    )
    await shows(a, [])
    await cluster.start(b)
    await shows(a, [two])
    await shows(b, [one])
    await reaches(a, 'one', two.address)
    expect(await b.run(({ controller }) => controller.check())).toEqual([])
  })

  it('a host whose controller is closed in order stays reachable', async () => {
    await b.close()
    await vi.waitFor(
      async () => expect(await a.run(({ controller }) => controller.nodes.find(({ name }) => name === 'host2')?.state)).toBe('closed'),
      until,
    )
    expect(await ping(a, 'one', two.address)).toBe(0)
    await cluster.start(b)
    await reaches(b, 'two', one.address)
  })

  it('a second host of the same name is refused', async () => {
    const node = { name: 'host1', address: '192.168.99.2', lease: 3, grace: 3 }
    await expect(cluster.addHost({ node })).rejects.toThrow('ERR_CNM_NODE_EXISTS')
  })

  it('a network that endpoints of another host are on is not removed', async () => {
    await expect(a.run(({ controller }) => controller.networks.get('blue').delete())).rejects.toMatchObject({
      code: 'ERR_CNM_NETWORK_IN_USE',
    })
  })

  it('everything goes with the last endpoint, and the network with its word', async () => {
    await remove(a, 'one')
    await remove(b, 'two')
    for (const host of [a, b]) {
      expect(await host.run(async ({ shell }) => (await shell('ls', '/run/netns')).trim())).toBe('')
      expect(
        await host.run(async ({ shell }) => (await shell('ip', '-br', 'link')).split('\n').filter((line) => /^(?:veth|br|vx)/.test(line))),
      ).toEqual([])
    }
    await b.run(({ controller }) => controller.networks.get('blue').delete())
    await vi.waitFor(
      async () => expect(await a.run(({ controller }) => controller.networks.list().map(({ name }) => name))).toEqual([]),
      until,
    )
    const keys = (await cluster.etcdctl('get', '--prefix', '--keys-only', '/libcnm/'))
      .split('\n')
      .filter((key) => key !== '' && !/\/(?:node|alive|ipam\/generation)\//.test(key))
    expect(keys).toEqual([])
    await inRouter('link', 'show')
  })
})
