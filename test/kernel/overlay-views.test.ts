import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { TestCluster } from '../hosts/cluster.js'
import { hostAddress } from '../hosts/cluster.js'
import type { Host } from '../hosts/host.js'
import { equalToCluster, join, known, remove, twoHosts, until, type Joined } from '../hosts/overlay.js'
import { needs, needsPrivileges } from '../tools.js'

describe.skipIf(needsPrivileges() ?? needs('etcd', 'etcdctl', 'ip', 'ping', 'bridge'))(
  'overlay: what is seen, planned and renamed',
  { timeout: 240_000 },
  () => {
    let cluster: TestCluster
    let a: Host, b: Host
    let one: Joined, two: Joined
    beforeAll(async () => {
      ;({ cluster, a, b, one, two } = await twoHosts())
    }, 120_000)
    afterAll(() => cluster?.[Symbol.asyncDispose]())

    const resolves = (host: Host, from: string, name: string): Promise<string[]> =>
      host.run(
        ({ controller }, from: string, name: string) =>
          controller.sandboxes
            .get(from)
            .resolve(name)
            .catch(() => []),
        from,
        name,
      )

    it('a network shows what other hosts have on it, as soon as something here is on it', async () => {
      await vi.waitFor(
        async () =>
          expect(await a.run(({ controller }) => controller.networks.get('blue').inspect().Peers)).toEqual([
            {
              Name: 'host2',
              IP: hostAddress(2),
              Endpoints: [
                expect.objectContaining({
                  Name: 'two',
                  EndpointID: two.id,
                  MacAddress: two.mac,
                  IPv4Address: `${two.address}/24`,
                  IPv6Address: '',
                }),
              ],
            },
          ]),
        until,
      )
      const c = await cluster.addHost()
      await known(c, 'blue')
      expect(await c.run(({ controller }) => 'Peers' in controller.networks.get('blue').inspect())).toBe(false)
      const members = await c.run(({ controller }) => controller.networks.get('blue').members())
      expect(members.map(({ id, node, joined }) => ({ id, node, joined })).sort((x, y) => x.node!.localeCompare(y.node!))).toEqual([
        { id: one.id, node: 'host1', joined: true },
        { id: two.id, node: 'host2', joined: true },
      ])
      expect(members.find(({ node }) => node === 'host2')).toMatchObject({ name: 'two', mac: two.mac, addresses: [`${two.address}/24`] })
    })

    it('an endpoint gets other aliases and another name, and so does a sandbox: the other host finds it under those', async () => {
      await a.run(({ controller }) => controller.networks.get('blue').endpoints[0]!.update({ aliases: ['db'] }))
      await vi.waitFor(async () => expect(await resolves(b, 'two', 'db')).toEqual([one.address]), until)
      await a.run(({ controller }) => controller.sandboxes.get('one').update({ name: 'uno' }))
      await vi.waitFor(async () => {
        expect(await resolves(b, 'two', 'uno')).toEqual([one.address])
        expect(await resolves(b, 'two', 'one')).toEqual([])
      }, until)
      const rename = (name: string): Promise<unknown> =>
        a.run(({ controller }, name: string) => controller.networks.get('blue').endpoints[0]!.update({ name }), name)
      await rename('store')
      await vi.waitFor(async () => expect(await resolves(b, 'two', 'store')).toEqual([one.address]), until)
      await expect(rename('two')).rejects.toMatchObject({ code: 'ERR_CNM_ENDPOINT_EXISTS' })
      const names = (await cluster.records<string>('endpoint-name/')).map(({ key, value }) => [key.split('/').pop(), value])
      expect(names.sort()).toEqual([
        ['store', one.id],
        ['two', two.id],
      ])
      // The name that it had is free.
      await join(b, 'blue', 'one')
      await remove(b, 'one')
      await equalToCluster(cluster, [a, b])
    })

    it('a plan covers the cluster: what would be programmed here, and nothing of it is made', async () => {
      const before = await cluster.etcdctl('get', '--prefix', '/libcnm/')
      const plan = await a.run(async ({ controller }) => {
        const { text, result } = await controller.plan(async (shadow) => {
          const network = await shadow.createNetwork({ name: 'red', driver: 'overlay', internal: true })
          const sandbox = await shadow.createSandbox({ name: 'planned' })
          const endpoint = await sandbox.connect(network)
          return { addresses: endpoint.addresses, subnets: network.subnets }
        })
        return { text, result, networks: controller.networks.list().map(({ name }) => name) }
      })
      expect(plan.text).toMatch(/ip (?:-n \S+ )?link add (?:name )?vx0 .*type vxlan id \d+/)
      expect(plan.result.addresses[0]!.replace(/\d+\/24$/, '0/24')).toBe(plan.result.subnets[0])
      expect(plan.networks).toEqual(['blue'])
      const [c] = cluster.hosts.slice(2)
      const joining = await c!.run(async ({ controller }) => {
        const { text } = await controller.plan(async (shadow) => {
          const sandbox = await shadow.createSandbox({ name: 'planned' })
          await sandbox.connect(shadow.networks.get('blue'))
        })
        return text
      })
      for (const { mac, address } of [one, two]) {
        expect(joining).toMatch(new RegExp(`fdb .*${mac}`))
        expect(joining).toContain(address)
      }
      const leaving = await b.run(({ controller }) =>
        controller.plan((shadow) => shadow.sandboxes.get('two').delete()).then(({ text }) => text),
      )
      expect(leaving).toContain('ip netns delete')
      await expect(
        a.run(({ controller }) => controller.plan((shadow) => shadow.createNetwork({ name: 'blue', driver: 'overlay' }))),
      ).rejects.toMatchObject({
        code: 'ERR_CNM_NETWORK_EXISTS',
      })
      expect(await cluster.etcdctl('get', '--prefix', '/libcnm/')).toBe(before)
      await equalToCluster(cluster, [a, b])
    })
  },
)
