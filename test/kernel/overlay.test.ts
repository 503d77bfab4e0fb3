import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { TestCluster } from '../hosts/cluster.js'
import { needs, needsPrivileges } from '../tools.js'

const until = { timeout: 30_000, interval: 50 }

describe.skipIf(needsPrivileges() ?? needs('etcd', 'etcdctl', 'ip', 'ping', 'bridge'))('overlay', { timeout: 120_000 }, () => {
  let cluster: TestCluster
  beforeAll(async () => {
    cluster = await TestCluster.make()
  }, 60_000)
  afterAll(() => cluster?.[Symbol.asyncDispose]())

  it('joins sandboxes on two hosts behind a router', async () => {
    const [a, b] = cluster.hosts as [(typeof cluster.hosts)[0], (typeof cluster.hosts)[0]]
    await a.run(async ({ controller }) => {
      await controller.createNetwork({ name: 'blue', driver: 'overlay', internal: true })
    })
    const seen = await vi.waitFor(() => b.run(({ controller }) => controller.networks.get('blue').inspect()), until)
    expect(seen).toMatchObject({ Scope: 'global', Driver: 'overlay' })
    const join = (host: typeof a, name: string) =>
      host.run(async ({ controller }, name: string) => {
        const sandbox = await controller.createSandbox({ name })
        const endpoint = await sandbox.connect(controller.networks.get('blue'))
        return { address: endpoint.addresses[0]!.split('/')[0]!, mac: endpoint.mac }
      }, name)
    const one = await join(a, 'one')
    const two = await join(b, 'two')
    expect(two.address).not.toBe(one.address)
    await vi.waitFor(async () => {
      const { code, stdout } = await a.run(
        ({ controller }, to: string) => controller.sandboxes.get('one').run('ping', ['-c1', '-W1', '-t1', to]),
        two.address,
      )
      expect(code, stdout).toBe(0)
    }, until)
    const named = await a.run(({ controller }) => controller.sandboxes.get('one').run('ping', ['-c1', '-W1', 'two']))
    expect(named.code, named.stdout + named.stderr).toBe(0)
  })
})
