import { readFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'

const lag = monitorEventLoopDelay({ resolution: 10 })
lag.enable()

/** What has been used up to a moment. */
export interface Use {
  at: number
  /** On the loopback, which is the cluster's alone: every byte is sent once and received once. */
  bytes: number
  /** Processor seconds of this program, that is of all hosts together. */
  seconds: number
  etcd: {
    seconds: number
    megabytes: number
    events: number
    puts: number
    watches: number
    slowWatches: number
    databaseMegabytes: number
  }
}

const TICKS_PER_SECOND = 100
const PAGE = 4096

export async function use({ pid, endpoint }: { pid: number; endpoint: string }): Promise<Use> {
  const [, , ...fields] = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/\(.*\)/, '-')
    .split(' ')
  const cpu = process.cpuUsage()
  const metrics = await (await fetch(`${endpoint}/metrics`)).text()
  const metric = (name: string): number => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(metrics)?.[1] ?? NaN)
  return {
    at: performance.now(),
    bytes: Number(/lo:\s*(\d+)/.exec(readFileSync('/proc/self/net/dev', 'utf8'))![1]),
    seconds: (cpu.user + cpu.system) / 1e6,
    etcd: {
      seconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
      megabytes: (Number(fields[21]) * PAGE) / 1e6,
      events: metric('etcd_debugging_mvcc_events_total'),
      puts: metric('etcd_debugging_mvcc_put_total'),
      watches: metric('etcd_debugging_mvcc_watcher_total'),
      slowWatches: metric('etcd_debugging_mvcc_slow_watcher_total'),
      databaseMegabytes: metric('etcd_mvcc_db_total_size_in_bytes') / 1e6,
    },
  }
}

/** Megabytes that this program holds, without what it could let go of. Needs `--expose-gc` to say so. */
export function held(): number {
  ;(globalThis as { gc?: () => void }).gc?.()
  // To collect all of this is a pause that no host of its own has.
  lag.reset()
  const { heapUsed, external, arrayBuffers } = process.memoryUsage()
  return (heapUsed + external + arrayBuffers) / 1e6
}

export const line = (what: string, value: string): void => console.log(`${what.padEnd(56)} ${value}`)

/** One part of a run, and what it took. */
export function part(what: string, before: Use, after: Use, hosts: number): void {
  const events = after.etcd.events - before.etcd.events
  line(what, `${((after.at - before.at) / 1000).toFixed(1)} s`)
  line('  on the wire, per host', `${((after.bytes - before.bytes) / hosts / 1e6).toFixed(3)} MB`)
  line('  events of watches, per host', `${Math.round(events / hosts)} (${(events / ((after.at - before.at) / 1000)).toFixed(0)}/s in all)`)
  line(
    '  processor: all hosts, etcd',
    `${(after.seconds - before.seconds).toFixed(1)} s, ${(after.etcd.seconds - before.etcd.seconds).toFixed(1)} s`,
  )
  line('  longest pause of the event loop', `${(lag.max / 1e6).toFixed(0)} ms`)
  lag.reset()
}

/** `p50 1.2 ms (p99 3.4 ms)` */
export function quantiles(times: readonly number[]): string {
  const sorted = [...times].sort((a, b) => a - b)
  const at = (share: number): string => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!.toFixed(1)
  return `p50 ${at(0.5)} ms (p99 ${at(0.99)} ms)`
}
