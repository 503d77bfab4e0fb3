import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { TestCluster } from '../hosts/cluster.js'
import { inRouter } from '../hosts/cluster.js'
import type { Host } from '../hosts/host.js'
import { equalToCluster, inNetwork, join, ping, reaches, remove, shows, twoHosts, until, type Joined } from '../hosts/overlay.js'
import { needs, needsPrivileges } from '../tools.js'

/** Of the partition: long enough for the hosts to give each other up. A minute shows no more, and takes a minute. */
const PARTITION_SECONDS = Number(process.env.LIBCNM_TEST_PARTITION_SECONDS ?? 10)
const HOUR_MS = 3_600_000

describe.skipIf(needsPrivileges() ?? needs('etcd', 'etcdctl', 'ip', 'ping', 'bridge'))(
  'overlay: faults',
  { timeout: 240_000 + PARTITION_SECONDS * 1000 },
  () => {
    let cluster: TestCluster
    let a: Host, b: Host
    let one: Joined, two: Joined
    beforeAll(async () => {
      ;({ cluster, a, b, one, two } = await twoHosts())
      await shows(a, [two])
      await shows(b, [one])
      await reaches(a, 'one', two.address)
    }, 120_000)
    afterAll(() => cluster?.[Symbol.asyncDispose]())

    it.each([
      ['an FDB entry that is removed', ['bridge', 'fdb', 'del', 'MAC', 'dev', 'vx0']],
      ['an FDB entry that is falsified', ['bridge', 'fdb', 'replace', 'MAC', 'dev', 'vx0', 'dst', '192.168.77.7', 'self', 'permanent']],
      ['a neighbour that is removed', ['ip', 'neigh', 'del', 'ADDRESS', 'dev', 'vx0']],
      [
        'a neighbour that is falsified',
        ['ip', 'neigh', 'replace', 'ADDRESS', 'dev', 'vx0', 'lladdr', '02:de:ad:00:00:01', 'nud', 'permanent'],
      ],
      ['an entry of the bridge that is removed', ['bridge', 'fdb', 'del', 'OWN', 'dev', 'PORT', 'master']],
    ])('%s by hand is put right by itself', async (_, command) => {
      const port = /(veth[0-9a-f]+)/.exec(await inNetwork(a, 'ip', '-o', 'link'))![1]!
      const words: Record<string, string> = { MAC: two.mac, ADDRESS: two.address, OWN: one.mac, PORT: port }
      await a.run(({ controller }) => {
        const scope = globalThis as { repaired?: Promise<number> }
        const begun = performance.now()
        scope.repaired = new Promise((resolve) => controller.once('repair', () => resolve(performance.now() - begun)))
      })
      await inNetwork(a, ...command.map((word) => words[word] ?? word))
      // Within a second; some more where the machine is busy.
      expect(await a.run(() => (globalThis as { repaired?: Promise<number> }).repaired)).toBeLessThan(5000)
      await equalToCluster(cluster, [a, b])
      await reaches(a, 'one', two.address)
    })

    it('who takes the address of a former endpoint is reached by those who knew that one', async () => {
      const take = (name: string): Promise<string> =>
        a.run(
          async ({ controller }, name: string, address: string) => {
            const sandbox = await controller.createSandbox({ name })
            const { mac } = await sandbox.connect(controller.networks.get('blue'), { addresses: [address] })
            return mac
          },
          name,
          '10.128.0.99',
        )
      const before = await take('former')
      await reaches(b, 'two', '10.128.0.99')
      await remove(a, 'former')
      expect(await take('latter')).toBe(before)
      // A neighbour that is known by another MAC is asked for anew only after five seconds.
      await vi.waitFor(async () => expect(await ping(b, 'two', '10.128.0.99')).toBe(0), { timeout: 4000, interval: 50 })
      await remove(a, 'latter')
      await equalToCluster(cluster, [a, b])
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
      const addresses = (await cluster.etcdctl('get', '--prefix', '--keys-only', '/libcnm/ipam/address/'))
        .trim()
        .split('\n')
        .filter(Boolean)
      expect(addresses, 'the gateway, one, two').toHaveLength(3)
      await b.run(({ controller }) => controller.sandboxes.get('refused').delete())
    })

    it('partition and heal, with compaction meanwhile, end equal to the cluster', async () => {
      await join(b, 'blue', 'leaver')
      const cut = performance.now()
      await cluster.cut(b)
      const status = (host: Host): Promise<{ health: string; reasons: string[] }> => host.run(({ controller }) => controller.status())
      await vi.waitFor(async () => expect((await status(b)).reasons).toEqual([expect.stringContaining('store cannot be reached')]), until)
      expect((await status(b)).health).toBe('degraded')
      await shows(a, [])
      const three = await join(a, 'blue', 'three')
      const gone = await join(a, 'blue', 'gone')
      await remove(a, 'gone')
      expect(gone.address).not.toBe(two.address)
      const [member] = JSON.parse(await cluster.etcdctl('endpoint', 'status', '-w', 'json')) as {
        Status: { header: { revision: number } }
      }[]
      const { revision } = member!.Status.header
      await cluster.etcdctl('compact', String(revision))
      await remove(b, 'leaver')
      await sleep(Math.max(0, PARTITION_SECONDS * 1000 - (performance.now() - cut)))
      await cluster.heal(b)
      await equalToCluster(cluster, [a, b])
      await reaches(b, 'two', three.address)
      expect((await status(b)).health).toBe('healthy')
      await remove(a, 'three')
      await equalToCluster(cluster, [a, b])
    })

    it('clocks that are an hour apart disturb nothing', async () => {
      for (const clockOffset of [HOUR_MS, -HOUR_MS]) {
        await b.kill()
        await cluster.start(b, { clockOffset })
        expect(Math.abs((await b.run(() => Date.now())) - Date.now() - clockOffset)).toBeLessThan(HOUR_MS / 60)
        await equalToCluster(cluster, [a, b])
        const three = await join(b, 'blue', 'three')
        const four = await join(a, 'blue', 'four')
        await reaches(b, 'three', four.address)
        await equalToCluster(cluster, [a, b])
        // Given up after its lease and no sooner, taken again at once: time that passes is what counts.
        await cluster.cutFromEtcd(b)
        await shows(a, [])
        await cluster.healToEtcd(b)
        await equalToCluster(cluster, [a, b])
        await reaches(a, 'four', three.address)
        await remove(b, 'three')
        await remove(a, 'four')
        await equalToCluster(cluster, [a, b])
      }
      await b.kill()
      await cluster.start(b)
    })

    it('a host that will not come back is forgotten: its addresses and names are free', async () => {
      const forget = (name: string): Promise<unknown> => a.run(({ controller }, name: string) => controller.forgetNode(name), name)
      await expect(forget('host2')).rejects.toMatchObject({ code: 'ERR_CNM_INVALID_ARGUMENT' })
      await expect(forget('nobody')).rejects.toMatchObject({ code: 'ERR_CNM_NODE_NOT_FOUND' })
      await b.kill()
      await vi.waitFor(() => forget('host2'), until)
      expect(await a.run(({ controller }) => controller.nodes.map(({ name }) => name))).toEqual(['host1'])
      await equalToCluster(cluster, [a])
      const takesOver = await a.run(async ({ controller }, address: string) => {
        const endpoint = await controller.networks.get('blue').createEndpoint({ name: 'two', addresses: [address] })
        const found = endpoint.addresses
        await endpoint.delete()
        return found
      }, two.address)
      expect(takesOver[0]!.split('/')[0]).toBe(two.address)
      // It does come back: it takes what it had again, since nobody else has it.
      await cluster.start(b)
      await equalToCluster(cluster, [a, b])
      await reaches(a, 'one', two.address)
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
          await host.run(async ({ shell }) =>
            (await shell('ip', '-br', 'link')).split('\n').filter((line) => /^(?:veth|br|vx)/.test(line)),
          ),
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
  },
)
