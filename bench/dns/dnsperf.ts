import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** Seconds until a question counts as lost. */
const TIMEOUT = 2

/** The servers have the other one. */
const CORE = '1'

export interface Load {
  /** Command before dnsperf, to run it in a namespace. */
  prefix?: readonly string[]
  address: string
  port: number
  /** File of questions. */
  questions: string
  seconds: number
  clients: number
  /** Questions unanswered at a time, of all clients together. */
  outstanding: number
  /** Questions a second; without it as many as possible. */
  rate?: number
  /** Note the time of each answer: costs dnsperf time, so never when questions a second are measured. */
  times?: boolean
}

export interface Measured {
  perSecond: number
  completed: number
  lost: number
  /** Answered with an address. */
  good: number
  /** Milliseconds, sorted; a lost question took the whole timeout. */
  times: number[]
}

/** Runs dnsperf once. */
export async function dnsperf(load: Load): Promise<Measured> {
  const args = ['-s', load.address, '-p', `${load.port}`, '-d', load.questions, '-l', `${load.seconds}`, '-c', `${load.clients}`]
  args.push(
    '-q',
    `${load.outstanding}`,
    '-t',
    '2',
    ...(load.rate === undefined ? [] : ['-Q', `${load.rate}`]),
    ...(load.times ? ['-v'] : []),
  )
  const [program = '', ...rest] = [...(load.prefix ?? []), 'taskset', '-c', CORE, 'dnsperf', ...args]
  const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'ignore'] })
  const result: Measured = { perSecond: 0, completed: 0, lost: 0, good: 0, times: [] }
  const ended = once(child, 'exit')
  for await (const line of createInterface({ input: child.stdout })) read(line, result)
  await ended
  if (load.times) for (let i = 0; i < result.lost; i++) result.times.push(TIMEOUT * 1000)
  result.times.sort((a, b) => a - b)
  return result
}

function read(line: string, result: Measured): void {
  // > NOERROR host5 A 0.000123
  if (line.startsWith('> ')) {
    const time = Number(line.slice(line.lastIndexOf(' ')))
    if (!Number.isNaN(time)) result.times.push(time * 1000)
    return
  }
  const [, key, value] = /^ *(Queries per second|Queries completed|Queries lost|Response codes): +(?:NOERROR )?([\d.]+)/.exec(line) ?? []
  if (key === 'Queries per second') result.perSecond = Number(value)
  else if (key === 'Queries completed') result.completed = Number(value)
  else if (key === 'Queries lost') result.lost = Number(value)
  else if (key === 'Response codes') result.good = Number(value)
}

/** Several at once, added up. */
export async function together(loads: readonly Load[]): Promise<Measured> {
  const all = await Promise.all(loads.map(dnsperf))
  const sum = (pick: (one: Measured) => number): number => all.reduce((total, one) => total + pick(one), 0)
  return {
    perSecond: sum((one) => one.perSecond),
    completed: sum((one) => one.completed),
    lost: sum((one) => one.lost),
    good: sum((one) => one.good),
    times: all.flatMap((one) => one.times).sort((a, b) => a - b),
  }
}
