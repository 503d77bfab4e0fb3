// Simulated hosts against a real etcd, without a kernel: what each learns of the others, how long it takes, and what it
// costs. Each host has a connection of its own, follows the nodes and the networks that it has joined, and takes its
// addresses from the shared pools, with the same code as a controller. `npx tsx bench/scale/run.ts [hosts] [endpoints]`,
// in a network namespace of its own, so that the bytes on its loopback are the cluster's alone.
import { setTimeout as sleep } from 'node:timers/promises'
import { readFileSync } from 'node:fs'
import { ipam } from '../../drivers/ipam/index.js'
import { follow } from '../../src/controller/cluster/follow.js'
import { Nodes } from '../../src/controller/cluster/nodes.js'
import { Peers } from '../../src/controller/cluster/peers.js'
import {
  ALIVE,
  aliveKey,
  endpointKey,
  endpointNameKey,
  NODES,
  nodeKey,
  ownedKey,
  type PeerRecord,
} from '../../src/controller/cluster/records.js'
import type { ClusterStore, IpamDriver } from '../../src/contracts/index.js'
import { etcd } from '../../src/store/etcd.js'
import { startEtcd } from '../../test/etcd.js'

const HOSTS = Number(process.argv[2] ?? 100)
const ENDPOINTS = Number(process.argv[3] ?? 100)
/** Each host is on so many networks, each network on so many hosts. */
const NETWORKS_OF_HOST = Math.min(10, HOSTS)
const AT_ONCE = 64
const SAMPLES = 100

interface Host {
  name: string
  store: ClusterStore
  ipam: IpamDriver
  nodes: Nodes
  networks: number[]
  peers: Map<number, Peers>
}

const id = (kind: string, number: number): string => Buffer.from(`${kind}${number}`).toString('hex').padEnd(64, '0')
const networkId = (number: number): string => id('n', number)

await using server = await startEtcd({ durable: false })
const loopback = (): number => Number(/lo:\s*(\d+)/.exec(readFileSync('/proc/self/net/dev', 'utf8'))![1])
const etcdUse = (): { megabytes: number; seconds: number } => {
  const [, , ...fields] = readFileSync(`/proc/${server.pid}/stat`, 'utf8')
    .replace(/\(.*\)/, '-')
    .split(' ')
  return { megabytes: (Number(fields[21]) * 4096) / 1e6, seconds: (Number(fields[11]) + Number(fields[12])) / 100 }
}
const line = (what: string, value: string): void => console.log(`${what.padEnd(52)} ${value}`)

async function inTurn(count: number, work: (number: number) => Promise<void>): Promise<void> {
  let next = 0
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (next < count) await work(next++)
    }),
  )
}

async function until(what: () => boolean): Promise<void> {
  while (!what()) await sleep(5)
}

const failed = (error: unknown): void => console.error(error)
const admin = etcd({ endpoints: [server.endpoint] })
const adminIpam = ipam({ store: admin, order: 'scattered', follow: false, globalPools: [{ base: '10.0.0.0/8', size: 22 }] })
const pools: string[] = []
for (let number = 0; number < HOSTS; number++)
  pools.push((await adminIpam.requestPool({ space: 'global', owner: networkId(number), family: 4 })).id)

const before = { memory: process.memoryUsage.rss(), bytes: loopback() }
const started = performance.now()
const hosts: Host[] = []
await inTurn(HOSTS, async (number) => {
  const store = etcd({ endpoints: [server.endpoint], timeout: 60_000 })
  const name = `host${number}`
  const peers = new Map<number, Peers>()
  const nodes = new Nodes(10_000, (changed) => {
    for (const each of peers.values()) each.nodeChanged(changed)
  })
  await store.hold(aliveKey(name), name, { seconds: 3600 })
  await store.commit([
    { put: nodeKey(name), value: { version: 1, id: name, address: `10.200.${number >> 8}.${number & 255}`, closed: false } },
  ])
  const signal = new AbortController().signal
  const follower = { put: nodes.put.bind(nodes), deleted: nodes.deleted.bind(nodes), failed }
  await Promise.all([follow(store, NODES, signal, follower), follow(store, ALIVE, signal, follower)])
  const networks = Array.from({ length: NETWORKS_OF_HOST }, (_, step) => (number + step) % HOSTS)
  for (const network of networks) peers.set(network, new Peers({ store, nodes, own: name, failed }, networkId(network), () => undefined))
  await Promise.all([...peers.values()].map(({ started: begun }) => begun))
  hosts.push({ name, store, ipam: ipam({ store, order: 'scattered', follow: false }), nodes, networks, peers })
})
await until(() => hosts.every(({ nodes }) => nodes.list().filter(({ state }) => state === 'up').length === HOSTS))
line(`${HOSTS} hosts know one another`, `${((performance.now() - started) / 1000).toFixed(1)} s`)
const joined = { bytes: loopback(), at: performance.now(), etcd: etcdUse() }

async function join(host: Host, number: number): Promise<void> {
  const network = host.networks[number % NETWORKS_OF_HOST]!
  const endpoint = id(`e${host.name}`, number)
  const record: PeerRecord = {
    version: 1,
    node: host.name,
    name: `${host.name}-${number}`,
    mac: '02:00:00:00:00:01',
    addresses: [],
    joined: false,
    names: [],
    services: [],
  }
  const key = endpointKey(networkId(network), endpoint)
  await host.store.commit([
    { put: key, value: record, expect: 'absent' },
    { put: endpointNameKey(networkId(network), record.name), value: endpoint, expect: 'absent' },
    { put: ownedKey(host.name) + endpoint, value: networkId(network) },
  ])
  const { address } = await host.ipam.requestAddress({ pool: pools[network]!, owner: endpoint, purpose: 'endpoint' })
  await host.store.commit([
    { put: key, value: { ...record, joined: true, addresses: [{ address, family: 4 }], names: [record.name, endpoint.slice(0, 12)] } },
  ])
}

await inTurn(HOSTS * ENDPOINTS, (number) => join(hosts[number % HOSTS]!, Math.floor(number / HOSTS)))
const published = performance.now()
const expected = (NETWORKS_OF_HOST - 1) * Math.floor(ENDPOINTS / NETWORKS_OF_HOST)
await until(() => hosts.every(({ peers }) => [...peers.values()].every(({ views }) => views.size === expected)))
const converged = performance.now()
const all = HOSTS * ENDPOINTS
line(
  `${all} endpoints made and joined`,
  `${((published - joined.at) / 1000).toFixed(1)} s, ${Math.round((all * 1000) / (published - joined.at))}/s`,
)
line('after the last one, everybody knows everything after', `${(converged - published).toFixed(0)} ms`)
line('peers that each host knows', String(expected * NETWORKS_OF_HOST))
line('on the wire, per host (both directions)', `${((loopback() - joined.bytes) / HOSTS / 1e6).toFixed(2)} MB`)
line('memory of this process, per host', `${((process.memoryUsage.rss() - before.memory) / HOSTS / 1e6).toFixed(2)} MB`)
const used = etcdUse()
line(
  'etcd: memory; processor time for the endpoints',
  `${used.megabytes.toFixed(0)} MB; ${(used.seconds - joined.etcd.seconds).toFixed(1)} s`,
)

const addresses = new Set<string>()
for (const pool of pools) for (const lease of (await adminIpam.leases?.(pool)) ?? []) addresses.add(lease.address)
if (addresses.size !== all) throw new Error(`${all} endpoints have ${addresses.size} addresses`)

const times: number[] = []
const quiet = loopback()
for (let sample = 0; sample < SAMPLES; sample++) {
  const host = hosts[(sample * 7) % HOSTS]!
  const network = host.networks[0]!
  const others = hosts.filter((other) => other !== host && other.peers.has(network))
  const sizes = others.map((other) => other.peers.get(network)!.views.size)
  const at = performance.now()
  await join(host, ENDPOINTS * NETWORKS_OF_HOST + sample * NETWORKS_OF_HOST)
  while (!others.every((other, index) => other.peers.get(network)!.views.size > sizes[index]!))
    await new Promise((resolve) => setImmediate(resolve))
  times.push(performance.now() - at)
}
times.sort((a, b) => a - b)
line(
  'one more endpoint: all hosts of its network know, p50',
  `${times[SAMPLES / 2]!.toFixed(1)} ms (p99 ${times[SAMPLES - 1]!.toFixed(1)} ms)`,
)
line(`bytes for it, of all ${HOSTS} hosts together`, `${Math.round((loopback() - quiet) / SAMPLES)} bytes`)
await Promise.all(hosts.map(({ store }) => store.close()))
await admin.close()
