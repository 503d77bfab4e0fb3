import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { hostAddress, TestCluster } from '../hosts/cluster.js'
import type { Host } from '../hosts/host.js'
import { inNetwork, join, known, reaches, remove, transfer, until, type Joined } from '../hosts/overlay.js'
import { needs, needsPrivileges } from '../tools.js'

describe.skipIf(needsPrivileges() ?? needs('etcd', 'etcdctl', 'ip', 'ping', 'bridge', 'ethtool', 'tcpdump'))(
  'overlay over IPv6',
  { timeout: 240_000 },
  () => {
    let cluster: TestCluster
    let a: Host, b: Host
    let two: Joined
    beforeAll(async () => {
      cluster = await TestCluster.make({ family: 6 })
      ;[a, b] = cluster.hosts as [Host, Host]
    }, 120_000)
    afterAll(() => cluster?.[Symbol.asyncDispose]())

    const make = async (options: Record<string, string> = {}): Promise<void> => {
      await a.run(async ({ controller }, options: Record<string, string>) => {
        await controller.createNetwork({ name: 'blue', driver: 'overlay', internal: true, enableIPv6: true, options })
      }, options)
      await known(b, 'blue')
      await join(a, 'blue', 'one')
      two = await join(b, 'blue', 'two')
      await reaches(a, 'one', two.address)
    }
    const removeAll = async (): Promise<void> => {
      await remove(a, 'one')
      await remove(b, 'two')
      await a.run(({ controller }) => controller.networks.get('blue').delete())
      await vi.waitFor(async () => expect(await b.run(({ controller }) => controller.networks.size)).toBe(0), until)
      expect(await a.run(async ({ shell }) => (await shell('ls', '/run/netns')).trim())).toBe('')
    }

    it('carries IPv4 and IPv6 in packets of IPv6, with the MTU that is left', async () => {
      await make()
      const six = await b.run(({ controller }) => controller.sandboxes.get('two').endpoints[0]!.addresses[1]!.split('/')[0]!)
      await reaches(a, 'one', six)
      const fdb = (await inNetwork(a, 'bridge', 'fdb', 'show', 'dev', 'vx0')).split('\n').find((line) => line.startsWith(two.mac))
      expect(fdb).toContain(`dst ${hostAddress(2, 6)} `)
      const link = await inNetwork(a, 'ip', '-d', 'link', 'show', 'vx0')
      expect(link).toContain(`local ${hostAddress(1, 6)} `)
      expect(link).toContain('mtu 1430 ')
      // A packet that fills the MTU is not fragmented, and leaves as one of IPv6.
      const packet = a.run(({ shell }) =>
        shell('timeout', '20', 'tcpdump', '-i', 'up0', '-nn', '-c1', '-Q', 'out', 'udp port 4789 and greater 1500'),
      )
      await vi.waitFor(async () => {
        const command = ['-c1', '-W1', '-M', 'do', '-s', String(1430 - 28), two.address]
        const { code } = await a.run(({ controller }, command: string[]) => controller.sandboxes.get('one').run('ping', command), command)
        expect(code).toBe(0)
        expect(await Promise.race([packet, new Promise((resolve) => setTimeout(() => resolve(''), 200))])).toContain(
          `IP6 ${hostAddress(1, 6)}.`,
        )
      }, until)
      expect(await transfer(a, b, two.address)).toBe(1_000_000)
      expect(await a.run(({ controller }) => controller.check())).toEqual([])
      await removeAll()
    })

    it('computes checksums early where the network says so, and sees when somebody changes that', async () => {
      const feature = async (): Promise<string> =>
        /tx-checksum-ip-generic: (on|off)/.exec(await inNetwork(a, 'ethtool', '-k', 'vx0'))?.[1] ?? 'not there'
      await make()
      expect(await feature()).toBe('on')
      await removeAll()
      await make({ checksum_offload: 'false' })
      expect(await feature()).toBe('off')
      expect(await transfer(a, b, two.address)).toBe(1_000_000)
      expect(await a.run(({ controller }) => controller.check())).toEqual([])
      // No event tells of it: it is found when the namespace is looked at in turn.
      await inNetwork(a, 'ethtool', '-K', 'vx0', 'tx-checksum-ip-generic', 'on')
      await vi.waitFor(async () => expect(await feature()).toBe('off'), until)
      await removeAll()
    })
  },
)
