import { execFileSync } from 'node:child_process'
import { Controller, type Sandbox } from 'libcnm'
import { memory } from 'libcnm/store/memory'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { leftBehind, takeCensus, type Census } from '../census.js'
import { needs, needsPrivileges } from '../tools.js'

interface Route {
  dst: string
  type?: string
  gateway?: string
  dev?: string
  metric?: number
  nexthops?: { gateway: string; dev: string; weight: number }[]
}

describe.skipIf(needsPrivileges() ?? needs('ip'))('static routes', () => {
  let controller: Controller
  let before: Census
  const clean = async (): Promise<void> => {
    for (const sandbox of controller.sandboxes.list()) await sandbox.delete()
    for (const network of controller.networks.list()) await network.delete()
  }
  beforeAll(async () => {
    controller = await Controller.open({ store: memory(), instance: 'routes' })
    const first = await controller.createNetwork({ name: 'first', enableIPv6: true })
    const sandbox = await controller.createSandbox({ name: 'first' })
    await sandbox.connect(first)
    // The kernel thread keeps the way back from the first environment that it went into.
    await sandbox.run('true')
    await clean()
    before = await takeCensus()
  })
  afterEach(async () => {
    expect(await controller.check()).toEqual([])
    await clean()
    expect(await leftBehind(before)).toEqual([])
  })
  afterAll(() => controller.close())

  /** Routes of a sandbox that are not the kernel's own, by destination. */
  const routesOf = async (sandbox: Sandbox, family: '-4' | '-6' = '-4'): Promise<Route[]> => {
    const { stdout } = await sandbox.run('ip', ['-j', family, 'route', 'show'])
    const all = JSON.parse(stdout) as (Route & { protocol: string })[]
    return all.filter(({ protocol, dst }) => protocol !== 'kernel' && dst !== 'default')
  }
  const refusal = async (promise: Promise<unknown>): Promise<{ code?: string; field?: string }> =>
    promise.then(
      () => ({}),
      (error: { code: string; field: string }) => ({ code: error.code, field: error.field }),
    )

  it('of a network are in every sandbox on it, with gateway, metric, type and several next hops', async () => {
    const network = await controller.createNetwork({
      name: 'front',
      ipam: { pools: [{ subnet: '10.60.0.0/24' }, { subnet: 'fd00:60::/64' }] },
      routes: [
        { destination: '172.20.0.0/16', gateway: '10.60.0.9' },
        { destination: '172.21.0.0/16', gateway: '10.60.0.9', metric: 300 },
        { destination: '172.22.0.0/16', type: 'blackhole' },
        { destination: '172.23.0.0/16', type: 'unreachable', metric: 7 },
        { destination: '172.24.0.0/16', type: 'prohibit' },
        { destination: '172.25.0.0/16', nextHops: [{ gateway: '10.60.0.9', weight: 3 }, { gateway: '10.60.0.10' }] },
        { destination: 'fd00:99::/64', gateway: 'fd00:60::9' },
        { destination: 'fd00:98::/64', type: 'unreachable' },
        { destination: 'fd00:97::/64', nextHops: [{ gateway: 'fd00:60::9' }, { gateway: 'fd00:60::a' }] },
      ],
    })
    for (const name of ['a', 'b']) {
      const sandbox = await controller.createSandbox({ name })
      await sandbox.connect(network)
      const four = await routesOf(sandbox)
      expect(four).toMatchObject([
        { dst: '172.20.0.0/16', gateway: '10.60.0.9', dev: 'eth0' },
        { dst: '172.21.0.0/16', gateway: '10.60.0.9', dev: 'eth0', metric: 300 },
        { type: 'blackhole', dst: '172.22.0.0/16' },
        { type: 'unreachable', dst: '172.23.0.0/16', metric: 7 },
        { type: 'prohibit', dst: '172.24.0.0/16' },
        {
          dst: '172.25.0.0/16',
          nexthops: [
            { gateway: '10.60.0.9', dev: 'eth0', weight: 3 },
            { gateway: '10.60.0.10', dev: 'eth0', weight: 1 },
          ],
        },
      ])
      const six = await routesOf(sandbox, '-6')
      expect(six.map(({ dst }) => dst).sort()).toEqual(['fd00:97::/64', 'fd00:98::/64', 'fd00:99::/64'])
      expect(six.find(({ dst }) => dst === 'fd00:97::/64')?.nexthops).toHaveLength(2)
      // What the kernel makes of a packet, not what its table says.
      expect((await sandbox.run('ip', ['route', 'get', '172.20.1.1'])).stdout).toContain('via 10.60.0.9 dev eth0')
      expect((await sandbox.run('ip', ['route', 'get', '172.23.1.1'])).stderr).toContain('No route to host')
    }
    expect(network.routes).toHaveLength(9)
  })

  it('lead a packet to a router of the network', async () => {
    const network = await controller.createNetwork({
      name: 'front',
      ipam: { pools: [{ subnet: '10.60.0.0/24' }] },
      routes: [{ destination: '172.20.0.1/32', gateway: '10.60.0.9' }],
    })
    const [client, router] = [await controller.createSandbox({ name: 'client' }), await controller.createSandbox({ name: 'router' })]
    await router.connect(network, { addresses: ['10.60.0.9'] })
    await router.run('ip', ['addr', 'add', '172.20.0.1/32', 'dev', 'lo'])
    await client.connect(network)
    expect((await client.run('ping', ['-c1', '-W2', '172.20.0.1'])).code).toBe(0)
  })

  it('of an endpoint are its sandbox’s alone; a gateway may be on another interface; they go when it leaves', async () => {
    const front = await controller.createNetwork({ name: 'front', ipam: { pools: [{ subnet: '10.60.0.0/24' }] } })
    const back = await controller.createNetwork({ name: 'back', ipam: { pools: [{ subnet: '10.61.0.0/24' }] } })
    const [a, b] = [await controller.createSandbox({ name: 'a' }), await controller.createSandbox({ name: 'b' })]
    await a.connect(front)
    const routes = [
      { destination: '172.20.0.0/16', gateway: '10.61.0.9' },
      { destination: '172.21.0.0/16', gateway: '10.60.0.9' },
    ]
    const endpoint = await a.connect(back, { routes })
    await b.connect(back)
    expect(await routesOf(a)).toMatchObject([
      { dst: '172.20.0.0/16', gateway: '10.61.0.9', dev: 'eth1' },
      { dst: '172.21.0.0/16', gateway: '10.60.0.9', dev: 'eth0' },
    ])
    expect(await routesOf(b)).toEqual([])
    expect(endpoint.routes).toEqual(routes)
    await endpoint.leave()
    expect(await routesOf(a)).toEqual([])
    await endpoint.join(a)
    expect(await routesOf(a)).toHaveLength(2)
  })

  it('stay where there is no default route, whose metric can be chosen too', async () => {
    const routes = [{ destination: '172.20.0.0/16', gateway: '10.60.0.1' }]
    const pool = (third: number) => ({ pools: [{ subnet: `10.${third}.0.0/24` }] })
    const none = await controller.createNetwork({ name: 'none', ipam: pool(60), options: { no_default_route: 'true' }, routes })
    const slow = await controller.createNetwork({ name: 'slow', ipam: pool(61), options: { metric: '250' } })
    const [a, b] = [await controller.createSandbox({ name: 'a' }), await controller.createSandbox({ name: 'b' })]
    await a.connect(none)
    await b.connect(slow)
    const defaults = async (sandbox: Sandbox): Promise<Route[]> =>
      JSON.parse((await sandbox.run('ip', ['-j', 'route', 'show', 'default'])).stdout) as Route[]
    expect(await defaults(a)).toEqual([])
    expect(await routesOf(a)).toHaveLength(1)
    expect(await defaults(b)).toMatchObject([{ gateway: '10.61.0.1', metric: 250 }])
  })

  it.each([
    [{ destination: '172.20.0.1/16', gateway: '10.60.0.9' }, 'destination'],
    [{ destination: 'here', gateway: '10.60.0.9' }, 'destination'],
    [{ destination: '0.0.0.0/0', gateway: '10.60.0.9' }, 'destination'],
    [{ destination: 'fd00:99::/64', gateway: 'fd00:60::9' }, 'destination'],
    [{ destination: '172.20.0.0/16' }, 'gateway'],
    [{ destination: '172.20.0.0/16', gateway: 'fd00:60::9' }, 'gateway'],
    [{ destination: '172.20.0.0/16', gateway: '10.60.0.9', type: 'blackhole' as const }, 'gateway'],
    [{ destination: '172.20.0.0/16', gateway: '10.60.0.9', nextHops: [{ gateway: '10.60.0.9' }] }, 'nextHops'],
  ])('refuses %j', async (route, field) => {
    const wanted = { name: 'front', ipam: { pools: [{ subnet: '10.60.0.0/24' }] } }
    expect(await refusal(controller.createNetwork({ ...wanted, routes: [route] }))).toEqual({
      code: 'ERR_CNM_INVALID_ARGUMENT',
      field: `routes[0].${field}`,
    })
    const network = await controller.createNetwork(wanted)
    expect(await refusal(network.createEndpoint({ name: 'web', routes: [route] }))).toMatchObject({ field: `routes[0].${field}` })
  })

  it('that the kernel cannot reach fail the join, and leave nothing', async () => {
    const network = await controller.createNetwork({
      name: 'front',
      ipam: { pools: [{ subnet: '10.60.0.0/24' }] },
      options: { no_default_route: 'true' },
    })
    const sandbox = await controller.createSandbox({ name: 'a' })
    const routes = [{ destination: '172.20.0.0/16', gateway: '10.99.0.9' }]
    expect(await refusal(sandbox.connect(network, { routes }))).toMatchObject({ code: 'ERR_CNM_KERNEL' })
    expect(execFileSync('ip', ['-n', sandbox.netns.split('/').pop()!, '-j', 'link'], { encoding: 'utf8' })).not.toContain('eth0')
    expect(network.endpoints).toEqual([])
  })
})
