// Two hosts behind a router: how long it takes from a join on one until a packet of the other is answered, and how much
// goes through, beside the same made by hand with ip(8) and bridge(8), in turns.
// `node --require ./test/own-world.cjs --import tsx bench/overlay/run.ts [joins] [rounds]`, as root, needs etcd and iperf3,
// and a built package.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { TestCluster } from '../../test/hosts/cluster.js'
import type { Host } from '../../test/hosts/host.js'
import { HandMade } from './hand-made.js'

const JOINS = Number(process.argv[2] ?? 100)
const ROUNDS = Number(process.argv[3] ?? 200)
/** Of one round: short, so that both meet the same machine. */
const MEGABYTES = 200

/** Milliseconds on the clock that all processes of the machine share. */
const now = (host: Host): Promise<number> => host.run(() => Number(process.hrtime.bigint()) / 1e6)
const here = (): number => Number(process.hrtime.bigint()) / 1e6

/** Asks a port where nobody listens: the refusal is the answer. Returns when it came. */
const answered = (host: Host, sandbox: string, address: string): Promise<number> =>
  host.run(
    async ({ controller }, sandbox: string, address: string) => {
      const from = controller.sandboxes.get(sandbox)
      const answer = await from.dial({ host: address, port: 9 }).then(
        () => 'a connection',
        (error: NodeJS.ErrnoException) => error.code ?? (error.cause as NodeJS.ErrnoException | undefined)?.code,
      )
      if (answer !== 'ECONNREFUSED') throw new Error(`expected a refusal, got ${answer}`)
      return Number(process.hrtime.bigint()) / 1e6
    },
    sandbox,
    address,
  )

const sorted = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b)
const median = (values: readonly number[]): number => sorted(values)[Math.floor(values.length / 2)]!
const quantiles = (values: readonly number[]): string =>
  `p50 ${median(values).toFixed(1)} ms, p90 ${sorted(values)[Math.floor(values.length * 0.9)]!.toFixed(1)} ms, max ${sorted(values).at(-1)!.toFixed(1)} ms`

await using cluster = await TestCluster.make({ lease: 60 })
const [a, b] = cluster.hosts as [Host, Host]
await a.run(async ({ controller }) => {
  await controller.createNetwork({ name: 'blue', driver: 'overlay', internal: true })
})
while (!(await b.run(({ controller }) => controller.networks.find('blue') !== undefined))) await sleep(20)
const netnsOf = (host: Host, name: string): Promise<string> =>
  host.run(({ controller }, name: string) => controller.sandboxes.get(name).netns, name)
const connect = (host: Host, name: string): Promise<{ address: string; begun: number; joined: number }> =>
  host.run(async ({ controller }, name: string) => {
    const sandbox = controller.sandboxes.get(name)
    const network = controller.networks.get('blue')
    const begun = Number(process.hrtime.bigint()) / 1e6
    const endpoint = await sandbox.connect(network)
    return { address: endpoint.addresses[0]!.split('/')[0]!, begun, joined: Number(process.hrtime.bigint()) / 1e6 }
  }, name)
const create = (host: Host, name: string, netns?: string): Promise<unknown> =>
  host.run(
    async ({ controller }, name: string, netns?: string) =>
      void (await controller.createSandbox({ name, ...(netns != null && { netns }) })),
    name,
    netns,
  )

// One on each host is there from before, on both overlays.
await create(a, 'one')
await create(b, 'two')
const one = await connect(a, 'one')
await connect(b, 'two')
const hand = new HandMade(cluster)
hand.prepare(0, 'hone')
hand.prepare(1, 'htwo')
const handOne = hand.join(0, 'hone')
hand.join(1, 'htwo')
await create(b, 'hand-two', '/run/netns/htwo')
await answered(b, 'two', one.address)
await answered(b, 'hand-two', handOne)

const times = { joined: [] as number[], answered: [] as number[], handMade: [] as number[], handAnswered: [] as number[] }
for (let number = 0; number < JOINS; number++) {
  const name = `s${number}`
  await create(a, name)
  const { address, begun, joined } = await connect(a, name)
  times.joined.push(joined - begun)
  times.answered.push((await answered(b, 'two', address)) - begun)
  await a.run(({ controller }, name: string) => controller.sandboxes.get(name).delete(), name)

  hand.prepare(0, name)
  const handBegun = here()
  const handAddress = hand.join(0, name)
  times.handMade.push(here() - handBegun)
  times.handAnswered.push((await answered(b, 'hand-two', handAddress)) - handBegun)
  hand.leave(0, name)
}
if (Math.abs((await now(a)) - here()) > 1000) throw new Error('the processes have different clocks')
console.log(`${JOINS} joins on one host, in turns, until a packet from the other host is answered`)
console.log(`  libcnm:  joined           ${quantiles(times.joined)}`)
console.log(`           first answer     ${quantiles(times.answered)}`)
console.log(`  by hand: commands done    ${quantiles(times.handMade)}`)
console.log(`           first answer     ${quantiles(times.handAnswered)}`)

interface Throughput {
  /** That arrive. */
  megabitsPerSecond: number
  /** Processor time of sender and receiver, the kernel's work for them included: other work of the machine changes it less. */
  secondsPerGigabyte: number
}

async function throughput(
  server: { host: Host; netns: string; address: string },
  client: { host: Host; netns: string },
): Promise<Throughput> {
  const inside = ({ host, netns }: { host: Host; netns: string }, ...command: string[]): string[] => [
    ...host.inside,
    'nsenter',
    `--net=${netns}`,
    ...command,
  ]
  const listening = spawn('nsenter', inside(server, 'iperf3', '-s', '-1', '--forceflush'), { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(listening.stdout, 'data')
  const ended = once(listening, 'exit')
  const asking = spawn('nsenter', inside(client, 'iperf3', '-c', server.address, '-n', `${MEGABYTES}M`, '-J'), {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  asking.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  await once(asking, 'close')
  await ended
  const { end } = JSON.parse(output) as {
    end: {
      sum_received: { bits_per_second: number; bytes: number; seconds: number }
      cpu_utilization_percent: { host_total: number; remote_total: number }
    }
  }
  const { bits_per_second: bits, bytes, seconds } = end.sum_received
  const { host_total: sending, remote_total: receiving } = end.cpu_utilization_percent
  return { megabitsPerSecond: bits / 1e6, secondsPerGigabyte: (((sending + receiving) / 100) * seconds * 1e9) / bytes }
}

const ours = {
  server: { host: a, netns: await netnsOf(a, 'one'), address: one.address },
  client: { host: b, netns: await netnsOf(b, 'two') },
}
const theirs = { server: { host: a, netns: '/run/netns/hone', address: handOne }, client: { host: b, netns: '/run/netns/htwo' } }
const rounds: { ours: Throughput; theirs: Throughput }[] = []
for (let round = 0; round < ROUNDS; round++) {
  // Who is first changes, so that what changes on the machine meanwhile meets both.
  const first = round % 2 === 0
  const before = first ? await throughput(ours.server, ours.client) : undefined
  const made = await throughput(theirs.server, theirs.client)
  rounds.push({ ours: before ?? (await throughput(ours.server, ours.client)), theirs: made })
}
console.log(`iperf3, ${ROUNDS} rounds of ${MEGABYTES} MB each, in turns: medians`)
for (const [what, unit] of [
  ['megabitsPerSecond', 'Mbit/s'],
  ['secondsPerGigabyte', 'processor seconds for a gigabyte'],
] as const) {
  const [mine, made] = [median(rounds.map(({ ours }) => ours[what])), median(rounds.map(({ theirs }) => theirs[what]))]
  const ratio = median(rounds.map(({ ours, theirs }) => ours[what] / theirs[what]))
  console.log(`  libcnm ${mine.toPrecision(4)}, by hand ${made.toPrecision(4)} ${unit}; median of the ratios ${ratio.toFixed(3)}`)
}
