import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { TestCluster } from '../hosts/cluster.js'
import type { Host } from '../hosts/host.js'
import { known, transfer, until } from '../hosts/overlay.js'
import { probe } from '../../src/kernel/probe/index.js'
import { needs, needsPrivileges, skipping } from '../tools.js'

const { 'xfrm-esp': esp } = probe(['xfrm-esp']).features
describe.skipIf(needsPrivileges() ?? needs('etcd', 'etcdctl', 'ip', 'ping', 'bridge'))('overlay', { timeout: 120_000 }, () => {
  let cluster: TestCluster
  beforeAll(async () => {
    cluster = await TestCluster.make()
  }, 60_000)
  afterAll(() => cluster?.[Symbol.asyncDispose]())

  const join = (host: Host, network: string, name: string, options: object = {}): Promise<{ addresses: string[]; mac: string }> =>
    host.run(
      async ({ controller }, network: string, name: string, options: object) => {
        const sandbox = controller.sandboxes.find(name) ?? (await controller.createSandbox({ name }))
        const endpoint = await sandbox.connect(controller.networks.get(network), options)
        return { addresses: endpoint.addresses.map((address) => address.split('/')[0]!), mac: endpoint.mac }
      },
      network,
      name,
      options,
    )
  const run = (host: Host, from: string, ...command: string[]): Promise<{ code: number; output: string }> =>
    host.run(
      async ({ controller }, from: string, command: string[]) => {
        const { code, stdout, stderr } = await controller.sandboxes.get(from).run(command[0]!, command.slice(1))
        return { code: code ?? -1, output: stdout + stderr }
      },
      from,
      command,
    )
  const succeeds = (host: Host, from: string, ...command: string[]): Promise<void> =>
    vi.waitFor(async () => {
      const { code, output } = await run(host, from, ...command)
      expect(code, output).toBe(0)
    }, until)
  const removeAll = async (): Promise<void> => {
    for (const host of cluster.hosts)
      await host.run(async ({ controller }) => {
        for (const sandbox of controller.sandboxes.list()) await sandbox.delete()
      })
    const [a] = cluster.hosts
    await a!.run(async ({ controller }) => {
      for (const network of controller.networks.list()) await network.delete()
    })
    for (const host of cluster.hosts)
      await vi.waitFor(async () => expect(await host.run(({ controller }) => controller.networks.size)).toBe(0), until)
  }

  it('joins sandboxes on two hosts behind a router: one hop, names, IPv4 and IPv6', async () => {
    const [a, b] = cluster.hosts as [Host, Host]
    await a.run(async ({ controller }) => {
      await controller.createNetwork({ name: 'blue', driver: 'overlay', internal: true, enableIPv6: true })
    })
    await known(b, 'blue')
    await join(a, 'blue', 'one')
    const two = await join(b, 'blue', 'two')
    await succeeds(a, 'one', 'ping', '-4', '-c1', '-W1', '-t1', 'two')
    await succeeds(a, 'one', 'ping', '-6', '-c1', '-W1', '-t1', two.addresses[1]!)
    expect(await a.run(({ controller }) => controller.check())).toEqual([])
    await removeAll()
  })

  it('takes a megabyte over TCP where no ICMP error gets through, and follows the MTU of the underlay', async () => {
    const [a, b] = cluster.hosts as [Host, Host]
    await a.run(async ({ controller }) => {
      await controller.createNetwork({ name: 'blue', driver: 'overlay', internal: true })
    })
    await known(b, 'blue')
    await join(a, 'blue', 'one')
    await join(b, 'blue', 'two')
    for (const host of [a, b])
      await host.run(async ({ shell }) => {
        for (const hook of ['input', 'output'])
          await shell(
            'nft',
            `add table inet noicmp; add chain inet noicmp ${hook} { type filter hook ${hook} priority 0; }; add rule inet noicmp ${hook} icmp type destination-unreachable drop`,
          )
      })
    await succeeds(a, 'one', 'ping', '-c1', '-W1', 'two')
    expect(await transfer(a, b, 'two')).toBe(1_000_000)
    const mtu = (host: Host, name: string) =>
      host.run(
        async ({ controller, shell }, name: string) =>
          Number(
            /mtu (\d+)/.exec(await shell('nsenter', `--net=${controller.sandboxes.get(name).netns}`, 'ip', 'link', 'show', 'eth0'))![1],
          ),
        name,
      )
    expect(await mtu(a, 'one')).toBe(1450)
    for (const host of [a, b]) await host.run(({ shell }) => shell('ip', 'link', 'set', 'up0', 'mtu', '1400'))
    await vi.waitFor(async () => expect([await mtu(a, 'one'), await mtu(b, 'two')]).toEqual([1350, 1350]), until)
    expect(await transfer(a, b, 'two')).toBe(1_000_000)
    for (const host of [a, b])
      await host.run(({ shell }) => shell('ip', 'link', 'set', 'up0', 'mtu', '1500').then(() => shell('nft', 'delete table inet noicmp')))
    await removeAll()
  })

  it('routes between the subnets of a network, and takes a third host that comes late', async () => {
    const [a, b] = cluster.hosts as [Host, Host]
    await a.run(async ({ controller }) => {
      const pools = [{ subnet: '10.50.1.0/24' }, { subnet: '10.50.2.0/24' }]
      const options = { 'com.docker.network.driver.overlay.vxlanid_list': '5001,5002', port: '8472' }
      await controller.createNetwork({ name: 'wide', driver: 'overlay', internal: true, ipam: { pools }, options })
      const taken = controller.createNetwork({
        name: 'other',
        driver: 'overlay',
        options: { 'com.docker.network.driver.overlay.vxlanid_list': '5002' },
      })
      const refusal = await taken.then(
        () => undefined,
        (error: { code: string }) => error.code,
      )
      if (refusal !== 'ERR_CNM_NUMBER_IN_USE') throw new Error(`not refused: ${refusal}`)
    })
    await known(b, 'wide')
    await join(a, 'wide', 'one', { addresses: ['10.50.1.10'] })
    await join(b, 'wide', 'two', { addresses: ['10.50.2.10'] })
    await succeeds(a, 'one', 'ping', '-c1', '-W1', '10.50.2.10')
    const c = await cluster.addHost()
    await known(c, 'wide')
    await join(c, 'wide', 'three', { addresses: ['10.50.2.11'] })
    await succeeds(a, 'one', 'ping', '-c1', '-W1', 'three')
    await succeeds(c, 'three', 'ping', '-c1', '-W1', '-t1', 'two')
    await removeAll()
  })

  it('gives a way out, and publishes ports on the host of the endpoint', async () => {
    const [a, b] = cluster.hosts as [Host, Host]
    await a.run(async ({ controller }) => {
      await controller.createNetwork({ name: 'green', driver: 'overlay' })
    })
    await known(b, 'green')
    await join(a, 'green', 'one', { ports: [{ host: 8080, container: 80 }] })
    await join(b, 'green', 'two')
    // The other host's outer address, beyond the router.
    await succeeds(a, 'one', 'ping', '-c1', '-W1', '192.168.2.2')
    await succeeds(b, 'two', 'ping', '-c1', '-W1', 'one')
    await a.run(async ({ controller }) => {
      const http = process.getBuiltinModule('node:http')
      await controller.sandboxes.get('one').listen(
        http.createServer((_, reply) => reply.end('published')),
        { port: 80 },
      )
    })
    expect(await b.run(async () => (await fetch('http://192.168.1.2:8080/')).text())).toBe('published')
    expect(
      await a.run(({ controller }) =>
        controller.networks
          .list()
          .map(({ name }) => name)
          .sort(),
      ),
    ).toEqual(['cnm_gwbridge', 'green'])
    await removeAll()
    for (const host of cluster.hosts)
      expect(
        await host.run(async ({ shell }) => (await shell('ip', '-br', 'link')).split('\n').filter((line) => /^(?:veth|br|vx)/.test(line))),
      ).toEqual([])
  })

  it.skipIf(esp.available && skipping('this kernel has ESP, see test/vm/overlay-encrypted.test.ts'))(
    'an encrypted network is not joined where the kernel cannot encrypt, and nothing of it is left',
    async () => {
      const [a] = cluster.hosts as [Host, Host]
      await a.run(async ({ controller }) => {
        await controller.createNetwork({ name: 'secret', driver: 'overlay', options: { encrypted: '' } })
      })
      await expect(join(a, 'secret', 'one')).rejects.toMatchObject({
        code: 'ERR_CNM_NOT_SUPPORTED',
        message: expect.stringMatching(/network secret is encrypted, and the kernel cannot do that: .+/),
      })
      await a.run(({ controller }) => controller.sandboxes.get('one').delete())
      const left = await a.run(async ({ shell }) =>
        Promise.all([shell('ls', '/run/netns'), shell('ip', 'xfrm', 'policy'), shell('nft', 'list', 'ruleset')]),
      )
      expect(left.join('')).toBe('')
      expect(await cluster.etcdctl('get', '--prefix', '--keys-only', '/libcnm/encryption/')).toBe('')
      await removeAll()
    },
  )

  it('a port is for encrypted networks or for others', async () => {
    const [a] = cluster.hosts as [Host, Host]
    const refused = (name: string, options: Record<string, string>): Promise<unknown> =>
      a.run(
        ({ controller }, name: string, options: Record<string, string>) =>
          controller.createNetwork({ name, driver: 'overlay', options }).then(
            () => 'made',
            (error: { code: string; field: string; message: string }) => [error.code, error.field, error.message],
          ),
        name,
        options,
      )
    expect(await refused('secret', { encryption: 'ipsec' })).toBe('made')
    const why = 'port 4788 is that of network secret, which is encrypted: choose another'
    expect(await refused('clear', { port: '4788' })).toEqual(['ERR_CNM_INVALID_ARGUMENT', 'options.port', expect.stringContaining(why)])
    expect(await refused('clear', { port: '4789' })).toBe('made')
    await removeAll()
  })
})
