// Simulated hosts against a real etcd, without a kernel: what each learns of the others, how long it takes, and what it
// costs. `node --expose-gc --max-old-space-size=16000 --import tsx bench/scale/run.ts [hosts] [endpoints] [spanning]`, in a
// network namespace of its own, so that the bytes on its loopback are the cluster's alone. Each host is on 10 networks,
// each network on 10 hosts; with `spanning` all hosts have one endpoint more, on a network that they all share.
import { setTimeout as sleep } from 'node:timers/promises'
import { ipam } from '../../drivers/ipam/index.js'
import { networkKey } from '../../src/controller/cluster/records.js'
import type { NetworkRecord } from '../../src/contracts/records.js'
import { etcd } from '../../src/store/etcd.js'
import { startEtcd } from '../../test/etcd.js'
import { held, line, part, quantiles, use } from './measures.js'
import { networkId, SimulatedHost } from './simulated-host.js'

const HOSTS = Number(process.argv[2] ?? 100)
const ENDPOINTS = Number(process.argv[3] ?? 100)
const SPANNING = process.argv[4] === 'spanning'
const NETWORKS_OF_HOST = Math.min(10, HOSTS)
const SAMPLES = 100
/** Steps of all hosts together that wait for an answer. */
const AT_ONCE = 64

async function inTurn(count: number, work: (number: number) => Promise<void>): Promise<void> {
  let next = 0
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (next < count) await work(next++)
    }),
  )
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await sleep(1)
}

await using server = await startEtcd({ durable: false })
const admin = etcd({ endpoints: [server.endpoint] })
const adminIpam = ipam({ store: admin, order: 'scattered', follow: false, globalPools: [{ base: '10.0.0.0/8', size: 22 }] })

/** The same record that a controller writes for a network. */
async function makeNetwork(number: number, subnet?: string): Promise<string> {
  const id = networkId(number)
  const pool = await adminIpam.requestPool({ space: 'global', owner: id, family: 4, ...(subnet !== undefined && { subnet }) })
  const record: NetworkRecord = {
    kind: 'network',
    version: 1,
    id,
    name: `network-${number}`,
    created: new Date().toISOString(),
    phase: 'ready',
    driver: 'overlay',
    internal: true,
    attachable: true,
    ipv4: true,
    ipv6: false,
    configOnly: false,
    labels: {},
    options: {},
    ipamDriver: 'default',
    ipamOptions: {},
    pools: [{ id: pool.id, subnet: pool.subnet, family: 4, ranges: [], reserved: {} }],
    dns: [],
    numbers: { vni: [4096 + number] },
    description: [],
  }
  await admin.commit([{ put: networkKey(id), value: { version: 1, record: record as never } }])
  return pool.id
}

const pools: string[] = []
for (let number = 0; number < HOSTS; number++) pools.push(await makeNetwork(number))
const spanning = HOSTS
if (SPANNING) pools.push(await makeNetwork(spanning, '172.16.0.0/12'))
const networksOf = (host: number): number[] => [
  ...Array.from({ length: NETWORKS_OF_HOST }, (_, step) => (host + step) % HOSTS),
  ...(SPANNING ? [spanning] : []),
]

let [up, shown, late, heard] = [0, 0, 0, new Map<number, number>()]
const told = {
  late: () => void late++,
  nodeUp: () => void up++,
  peers: (change: number) => void (shown += change),
  heard: (network: number) => void heard.set(network, (heard.get(network) ?? 0) + 1),
}

const memoryBefore = held()
const begun = await use(server)
const hosts = Array.from({ length: HOSTS }, (_, number) => new SimulatedHost(number, HOSTS, server.endpoint, told))
await inTurn(HOSTS, (number) => hosts[number]!.start(networksOf(number)))
await until(() => up === HOSTS * HOSTS)
const started = await use(server)
part(`${HOSTS} hosts start and know one another and ${pools.length} networks`, begun, started, HOSTS)
line('  memory per host', `${((held() - memoryBefore) / HOSTS).toFixed(2)} MB`)
line('  etcd: watches, memory', `${started.etcd.watches}, ${started.etcd.megabytes.toFixed(0)} MB`)

const spread = Math.floor(ENDPOINTS / NETWORKS_OF_HOST) * NETWORKS_OF_HOST
const joinTimes: number[] = []
async function connect(number: number): Promise<void> {
  const [host, endpoint] = [number % HOSTS, Math.floor(number / HOSTS)]
  const network = endpoint === spread ? spanning : networksOf(host)[endpoint % NETWORKS_OF_HOST]!
  const at = performance.now()
  await hosts[host]!.connect(network, pools[network]!, endpoint)
  joinTimes.push(performance.now() - at)
}
const count = HOSTS * (spread + (SPANNING ? 1 : 0))
const peersOfHost = (NETWORKS_OF_HOST - 1) * spread + (SPANNING ? HOSTS - 1 : 0)
const before = await use(server)
await inTurn(count, connect)
const published = performance.now()
await until(() => shown === HOSTS * peersOfHost)
const converged = performance.now()
const after = await use(server)
part(`${count} endpoints made and joined, and known to all`, before, after, HOSTS)
line('  one of them, with 63 others at once', quantiles(joinTimes))
line('  after the last one, everybody knows everything after', `${(converged - published).toFixed(0)} ms`)
line('  peers that each host knows', String(peersOfHost))
line('  memory per host', `${((held() - memoryBefore) / HOSTS).toFixed(2)} MB`)
line(
  '  etcd: memory, database, writes, watches behind',
  `${after.etcd.megabytes.toFixed(0)} MB, ${after.etcd.databaseMegabytes.toFixed(0)} MB, ${after.etcd.puts - before.etcd.puts}, ${after.etcd.slowWatches}`,
)

const addresses = new Set<string>()
for (const pool of pools) for (const lease of (await adminIpam.leases?.(pool)) ?? []) addresses.add(lease.address)
if (addresses.size !== count) throw new Error(`${count} endpoints have ${addresses.size} addresses`)
line('answers that came too late', String(late))
line('no address twice', `${addresses.size} addresses`)

/** One endpoint more on a network: until every host on it knows, and what everybody together was told for it. */
async function oneMore(what: string, networkOf: (host: number) => number, others: number): Promise<void> {
  const times: number[] = []
  heard = new Map()
  const first = await use(server)
  for (let sample = 0; sample < SAMPLES; sample++) {
    const host = (sample * 7) % HOSTS
    const network = networkOf(host)
    const wanted = shown + others
    const at = performance.now()
    await hosts[host]!.connect(network, pools[network]!, 10_000_000 + sample)
    while (shown < wanted) await new Promise((resolve) => setImmediate(resolve))
    times.push(performance.now() - at)
  }
  const last = await use(server)
  line(what, quantiles(times))
  line('  bytes for it, of all hosts together', String(Math.round((last.bytes - first.bytes) / SAMPLES)))
  line('  events for it, of all hosts together', String((last.etcd.events - first.etcd.events) / SAMPLES))
  const networks = new Set(Array.from({ length: SAMPLES }, (_, sample) => networkOf((sample * 7) % HOSTS)))
  for (const network of heard.keys())
    if (!networks.has(network)) throw new Error(`hosts heard of network ${network}, where nothing happened`)
}
await oneMore(`one more endpoint: ${NETWORKS_OF_HOST - 1} others know`, (host) => networksOf(host)[0]!, NETWORKS_OF_HOST - 1)
if (SPANNING) await oneMore(`one more on the network of all: ${HOSTS - 1} others know`, () => spanning, HOSTS - 1)

await Promise.all(hosts.map((host) => host.close()))
await admin.close()
