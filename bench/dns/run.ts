/**
 * The resolver beside dnsmasq and aardvark-dns, in one run: `npx tsx bench/dns/run.ts [seconds]`, as root; needs
 * dnsperf, dnsmasq and a built package; aardvark-dns where it is installed. `run.ts soak [minutes]`: ours alone, at half
 * of what it can do. Everything happens in namespaces of its own.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { setPriority, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { table } from '../attach/report.js'
import { together, type Load, type Measured } from './dnsperf.js'
import { aardvark, dnsmasq, libcnm, NAMES, type Contestant } from './servers.js'

const INSIDE = 'BENCH_INSIDE'
const ROUNDS = 7
/** Questions a second at which latency is compared: about half of what the fast ones can do. */
const EQUAL_RATE = 100_000
const MANY = 500

/** What is asked of each server. `from`: how many sandboxes ask, each with one dnsperf. */
interface Scenario {
  what: string
  from: number
  clients: number
  outstanding: number
  rate?: number
}

const SCENARIOS: Scenario[] = [
  { what: '1 client x 100', from: 1, clients: 1, outstanding: 100 },
  { what: '8 clients, 100 in all', from: 1, clients: 8, outstanding: 100 },
  { what: '8 clients x 100', from: 1, clients: 8, outstanding: 800 },
  { what: `${EQUAL_RATE} q/s`, from: 1, clients: 8, outstanding: 800, rate: EQUAL_RATE },
]
const WITH_MANY: Scenario[] = [SCENARIOS[0]!, { what: '8 sandboxes x 100', from: 8, clients: 1, outstanding: 100 }]

function outside(): void {
  const self = [process.execPath, ...process.execArgv, fileURLToPath(import.meta.url), ...process.argv.slice(2)]
  const { status } = spawnSync(
    'setsid',
    ['--wait', 'unshare', '--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '--propagation', 'private', ...self],
    {
      stdio: 'inherit',
      env: { ...process.env, [INSIDE]: '1' },
    },
  )
  process.exitCode = status ?? 1
}

/**
 * With BENCH_PRECEDENCE=1 whatever else the machine does gets only what these servers leave: of their session (autogroup
 * of sched(7)), and of each process. For a machine that nobody else needs meanwhile.
 */
function takePrecedence(): void {
  if (existsSync('/proc/self/autogroup')) writeFileSync('/proc/self/autogroup', '-20')
  setPriority(-20)
}

async function inside(args: readonly string[]): Promise<void> {
  if (process.env.BENCH_PRECEDENCE === '1') takePrecedence()
  const folder = mkdtempSync(join(tmpdir(), 'bench-dns-'))
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', '/run'])
  execFileSync('ip', ['link', 'set', 'lo', 'up'])
  const questions = join(folder, 'questions')
  writeFileSync(questions, [...Array(NAMES).keys()].map((i) => `host${i} A\n`).join(''))
  try {
    if (args[0] === 'soak') return await soak(Number(args[1] ?? 10), questions)
    const seconds = Number(args[0] ?? 1)
    await compare(1, SCENARIOS, seconds, folder, questions)
    await compare(MANY, WITH_MANY, seconds, folder, questions)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Every scenario with every server in turn, several times, so that whatever else the machine does meets all alike. */
async function compare(
  sandboxes: number,
  scenarios: readonly Scenario[],
  seconds: number,
  folder: string,
  questions: string,
): Promise<void> {
  const place = mkdtempSync(join(folder, 'run-'))
  const contestants = [...(await libcnm(sandboxes)), await dnsmasq(sandboxes, place), await aardvark(sandboxes, place)].filter(
    (one) => one !== undefined,
  )
  if (contestants.length < 4) console.log('aardvark-dns is not installed')
  console.log(`\n${sandboxes === 1 ? '1 sandbox' : `${sandboxes} sandboxes`}, ${NAMES} names; median of ${ROUNDS} rounds of ${seconds} s`)
  const rows = [['', 'server', 'q/s', 'lost', 'p50 ms', 'p99 ms', 'CPU us/q']]
  for (const scenario of scenarios) {
    const results = new Map<Contestant, Row[]>(contestants.map((one) => [one, []]))
    for (let round = 0; round < ROUNDS; round++) {
      for (const contestant of contestants) results.get(contestant)!.push(await measure(contestant, scenario, seconds, questions))
    }
    for (const [{ name }, list] of results) rows.push([scenario.what, name, ...medians(list)])
  }
  table(rows)
  for (const contestant of contestants) await contestant.stop()
}

interface Row {
  perSecond: number
  lost: number
  p50: number
  p99: number
  microseconds: number
}

async function measure(contestant: Contestant, scenario: Scenario, seconds: number, questions: string): Promise<Row> {
  const load = (times: boolean): Promise<Measured> =>
    together([...Array(scenario.from).keys()].map((i): Load => ({ ...contestant.target(i), ...scenario, questions, seconds, times })))
  const before = contestant.processorTime()
  const speed = await load(false)
  const used = contestant.processorTime() - before
  if (speed.good < speed.completed) throw new Error(`${contestant.name}: only ${speed.good} of ${speed.completed} answers were right`)
  await sleep(100)
  const { times } = await load(true)
  const at = (q: number): number => times[Math.floor(times.length * q)] ?? NaN
  return { perSecond: speed.perSecond, lost: speed.lost, p50: at(0.5), p99: at(0.99), microseconds: (used * 1000) / speed.completed }
}

function medians(rows: readonly Row[]): string[] {
  const median = (pick: (row: Row) => number, digits: number): string => {
    const values = rows.map(pick).sort((a, b) => a - b)
    return values[values.length >> 1]!.toFixed(digits)
  }
  return [
    median((r) => r.perSecond, 0),
    median((r) => r.lost, 0),
    median((r) => r.p50, 2),
    median((r) => r.p99, 2),
    median((r) => r.microseconds, 1),
  ]
}

/** Half of what it can do, for a long time: nothing lost, memory flat. */
async function soak(minutes: number, questions: string): Promise<void> {
  const [ours] = await libcnm(8)
  const load = { questions, clients: 1, outstanding: 100 }
  const all = (more: Partial<Load>): Promise<Measured> =>
    together([...Array(8).keys()].map((i): Load => ({ ...ours.target(i), ...load, seconds: 5, ...more })))
  const most = (await all({})).perSecond
  const rate = Math.floor(most / 2 / 8)
  console.log(`at most ${most.toFixed(0)} q/s; ${rate * 8} q/s for ${minutes} minutes`)
  let completed = 0
  let lost = 0
  for (let minute = 1; minute <= minutes; minute++) {
    const one = await all({ rate, seconds: 60 })
    completed += one.completed
    lost += one.lost
    const { rss, external } = process.memoryUsage()
    console.log(
      `minute ${minute}: ${one.completed} answered, ${one.lost} lost; RSS ${(rss >> 20).toFixed(0)} MB, external ${(external >> 10).toFixed(0)} KB`,
    )
  }
  console.log(`${completed} answered, ${lost} lost`)
  await ours.stop()
}

if (process.env[INSIDE] === '1') await inside(process.argv.slice(2))
else outside()
