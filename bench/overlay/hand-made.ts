import { execFileSync } from 'node:child_process'
import { hostAddress, type TestCluster } from '../../test/hosts/cluster.js'
import type { Host } from '../../test/hosts/host.js'

const SUBNET = '10.99.0'
const VNI = 99
const PORT = 4790

/** An overlay of the same shape made by hand, with ip(8) and bridge(8): what a careful script would do. */
export class HandMade {
  readonly #hosts: readonly [Host, Host]
  readonly #made = new Map<string, { host: Host; address: string; mac: string }>()
  #last = 1

  constructor(cluster: TestCluster) {
    this.#hosts = cluster.hosts as [Host, Host]
    for (const [index, host] of this.#hosts.entries())
      sh(host, [
        'ip netns add hand',
        'ip -n hand link add br0 type bridge mcast_snooping 0',
        `ip link add vxhand type vxlan id ${VNI} dstport ${PORT} local ${hostAddress(index + 1)} nolearning proxy`,
        'ip link set vxhand netns hand',
        'ip -n hand link set vxhand mtu 1450 master br0 up',
        'bridge -n hand link set dev vxhand learning off',
        'ip -n hand link set br0 mtu 1450 up',
      ])
  }

  /** A namespace, as there is one before a sandbox joins. */
  prepare(number: 0 | 1, name: string): void {
    sh(this.#hosts[number], [`ip netns add ${name}`, `ip -n ${name} link set lo up`])
  }

  /** What a join does: a veth pair, addresses, entries here, and entries on the other host. */
  join(number: 0 | 1, name: string): string {
    const [here, there] = [this.#hosts[number], this.#hosts[1 - number]!]
    const address = `${SUBNET}.${++this.#last}`
    const mac = `02:99:00:00:00:${this.#last.toString(16).padStart(2, '0')}`
    sh(here, [
      `ip -n hand link add v${name} mtu 1450 master br0 type veth peer name eth0 netns ${name} address ${mac} mtu 1450`,
      `bridge -n hand link set dev v${name} learning off`,
      `bridge -n hand fdb add ${mac} dev v${name} master static`,
      `ip -n hand link set v${name} up`,
      `ip -n ${name} addr add ${address}/24 dev eth0`,
      `ip -n ${name} link set eth0 up`,
      ...[...this.#made.values()].filter(({ host }) => host === there && this.#first(here)).flatMap((peer) => entries(there, peer)),
    ])
    sh(there, entries(here, { mac, address }))
    this.#made.set(name, { host: here, address, mac })
    return address
  }

  leave(number: 0 | 1, name: string): void {
    const [here, there] = [this.#hosts[number], this.#hosts[1 - number]!]
    const { mac, address } = this.#made.get(name)!
    sh(here, [`ip netns del ${name}`])
    sh(there, [`bridge -n hand fdb del ${mac} dev vxhand`, `ip -n hand neigh del ${address} dev vxhand`])
    this.#made.delete(name)
  }

  #first(host: Host): boolean {
    return ![...this.#made.values()].some((made) => made.host === host)
  }
}

const entries = (host: Host, { mac, address }: { mac: string; address: string }): string[] => [
  `bridge -n hand fdb append ${mac} dev vxhand dst ${hostAddress(Number(host.name.slice('host'.length)))}`,
  `ip -n hand neigh replace ${address} lladdr ${mac} dev vxhand nud permanent`,
]

const sh = (host: Host, commands: readonly string[]): void =>
  void execFileSync('nsenter', [...host.inside, 'sh', '-ec', commands.join('\n')], { stdio: ['ignore', 'pipe', 'inherit'] })
