import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { startEtcd, type EtcdServer } from '../etcd.js'
import { Host, type HostSettings } from './host.js'

const run = promisify(execFile)
const ROUTER = 'router'
const ETCD = 'etcd'

/** Outer addresses of hosts: each in a subnet of its own, behind one router. */
export const hostAddress = (number: number, family: 4 | 6 = 4): string => (family === 4 ? `192.168.${number}.2` : `fd00:${number}::2`)
const routerAddress = (number: number, family: 4 | 6 = 4): string => (family === 4 ? `192.168.${number}.1` : `fd00:${number}::1`)
const ETCD_NUMBER = 200

/** Hosts in different subnets behind a router, and a real etcd behind it too. */
export class TestCluster implements AsyncDisposable {
  readonly hosts: Host[] = []
  readonly etcd: EtcdServer
  readonly #family: 4 | 6
  readonly #lease: number
  readonly #numbers = new Map<Host, number>()

  private constructor(etcd: EtcdServer, family: 4 | 6, lease: number) {
    this.etcd = etcd
    this.#family = family
    this.#lease = lease
  }

  /** @param lease seconds until a host that says nothing is suspect, and as many until it counts as down */
  static async make({ hosts = 2, family = 4, lease = 3 }: { hosts?: number; family?: 4 | 6; lease?: number } = {}): Promise<TestCluster> {
    await ip('netns', 'add', ROUTER)
    await ip('netns', 'add', ETCD)
    await run('ip', ['netns', 'exec', ROUTER, 'sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'])
    await wire(ETCD_NUMBER, ETCD)
    const etcd = await startEtcd({ address: hostAddress(ETCD_NUMBER), port: 2379, netns: ETCD })
    const cluster = new TestCluster(etcd, family, lease)
    try {
      for (let number = 1; number <= hosts; number++) await cluster.addHost()
      return cluster
    } catch (error) {
      await cluster[Symbol.asyncDispose]()
      throw error
    }
  }

  /** One more host, with its controller open. */
  async addHost(more: Partial<HostSettings> = {}): Promise<Host> {
    const host = await this.addBareHost()
    await this.start(host, more)
    return host
  }

  /** One more host, on which nothing runs. */
  async addBareHost(): Promise<Host> {
    const number = this.hosts.length + 1
    const host = await Host.make(`host${number}`)
    this.hosts.push(host)
    this.#numbers.set(host, number)
    await wire(number, String(host.pid), host)
    return host
  }

  async start(host: Host, more: Partial<HostSettings> = {}): Promise<void> {
    const address = hostAddress(this.#numbers.get(host)!, this.#family)
    const node = { name: host.name, address, lease: this.#lease, grace: this.#lease }
    await host.start({ endpoints: [this.etcd.endpoint], node, timeout: 2000, ...more })
  }

  /** Cuts the host off from everybody, or heals that. */
  async cut(host: Host): Promise<void> {
    await inRouter('link', 'set', `r${this.#numbers.get(host)}`, 'down')
  }
  async heal(host: Host): Promise<void> {
    const number = this.#numbers.get(host)!
    await inRouter('link', 'set', `r${number}`, 'up')
    // The kernel took them away with the link.
    await inRouter('address', 'replace', `${routerAddress(number, 6)}/64`, 'dev', `r${number}`, 'nodad')
  }
  /** Cuts the host off from etcd alone. */
  async cutFromEtcd(host: Host): Promise<void> {
    await inRouter(
      'rule',
      'add',
      'from',
      hostAddress(this.#numbers.get(host)!),
      'to',
      hostAddress(ETCD_NUMBER),
      'blackhole',
      'priority',
      '10',
    )
  }
  async healToEtcd(host: Host): Promise<void> {
    await inRouter(
      'rule',
      'del',
      'from',
      hostAddress(this.#numbers.get(host)!),
      'to',
      hostAddress(ETCD_NUMBER),
      'blackhole',
      'priority',
      '10',
    )
  }

  async etcdctl(...args: string[]): Promise<string> {
    const command = ['netns', 'exec', ETCD, 'etcdctl', '--endpoints', this.etcd.endpoint, ...args]
    return (await run('ip', command, { env: { ...process.env, ETCDCTL_API: '3' }, maxBuffer: 64 << 20 })).stdout
  }

  /** What the store has under a prefix. */
  async records<T>(prefix: string): Promise<{ key: string; value: T }[]> {
    const answer = JSON.parse(await this.etcdctl('get', '--prefix', '-w', 'json', `/libcnm/${prefix}`)) as {
      kvs?: { key: string; value: string }[]
    }
    const text = (base64: string): string => Buffer.from(base64, 'base64').toString()
    return (answer.kvs ?? []).map(({ key, value }) => ({ key: text(key).slice('/libcnm/'.length), value: JSON.parse(text(value)) as T }))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const host of this.hosts) await host[Symbol.asyncDispose]()
    await this.etcd[Symbol.asyncDispose]()
    await ip('netns', 'del', ETCD)
    await ip('netns', 'del', ROUTER)
  }
}

/** A link from the router into a namespace, with addresses and a default route in both families. */
async function wire(number: number, netns: string, host?: Host): Promise<void> {
  const link = `r${number}`
  await inRouter('link', 'add', link, 'type', 'veth', 'peer', 'name', 'up0', 'netns', netns)
  for (const family of [4, 6] as const) {
    const bits = family === 4 ? '24' : '64'
    const noDad = family === 6 ? ['nodad'] : []
    await inRouter('address', 'add', `${routerAddress(number, family)}/${bits}`, 'dev', link, ...noDad)
    await inside(netns, host, 'address', 'add', `${hostAddress(number, family)}/${bits}`, 'dev', 'up0', ...noDad)
  }
  await inRouter('link', 'set', link, 'up')
  await inside(netns, host, 'link', 'set', 'up0', 'up')
  if (host === undefined) await inside(netns, host, 'link', 'set', 'lo', 'up')
  for (const family of [4, 6] as const) await inside(netns, host, 'route', 'add', 'default', 'via', routerAddress(number, family))
}

const ip = (...args: string[]): Promise<unknown> => run('ip', args)
export const inRouter = (...args: string[]): Promise<unknown> => run('ip', ['-n', ROUTER, ...args])
const inside = (netns: string, host: Host | undefined, ...args: string[]): Promise<unknown> =>
  host === undefined ? run('ip', ['-n', netns, ...args]) : run('nsenter', [...host.inside, 'ip', ...args])
