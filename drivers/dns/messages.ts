import type { LoopThreadData, ReadyReport, StopMessage } from '../../src/kernel/index.js'
import type { DnsNetwork, DnsNetworkChange, DnsSandbox, DnsTuning, DnsView } from './contract.js'

/** What the resolver's thread is started with (workerData). */
export interface DnsThreadData extends LoopThreadData {
  tuning: DnsTuning
}

/**
 * Everything that can be told to the resolver's thread. A change is in force for every question that is asked after
 * its message was posted: the thread looks for messages between taking questions and answering them.
 */
export type DnsMessage =
  | { do: 'add-sandbox'; sandbox: DnsSandbox }
  | { do: 'change-sandbox'; id: string; view: DnsView }
  /** Answered by `done`: from then on none of its descriptors is open. */
  | { do: 'remove-sandbox'; id: string; ticket: number }
  | { do: 'put-network'; network: DnsNetwork }
  | { do: 'change-network'; change: DnsNetworkChange }
  | { do: 'remove-network'; id: string }
  | { do: 'flush-cache' }
  | { do: 'statistics'; ticket: number }
  | StopMessage

export type DnsReport =
  | ReadyReport
  | { is: 'done'; ticket: number }
  | { is: 'statistics'; ticket: number; statistics: DnsStatistics }
  /** Something failed inside; the thread goes on. */
  | { is: 'fault'; message: string; stack?: string }

/** Counted since the thread began, unless said otherwise. */
export interface DnsStatistics {
  sandboxes: number
  networks: number
  connections: number
  queries: number
  /** Answered from names of networks. */
  local: number
  cached: number
  /** Had to wait for a server. */
  forwarded: number
  /** Answered SERVFAIL, because of a limit or because no server answered. */
  refused: number
  /** No proper question. */
  malformed: number
  /** Questions sent to servers: less than `forwarded` by those that were already on their way. */
  asked: number
  /** Waiting for servers now. */
  waiting: number
  cacheEntries: number
  cacheBytes: number
  /** Answers that answered nothing asked, or came from the wrong place. */
  strangers: number
  servers: { address: string; from: string; rtt: number; suspect: boolean }[]
  memory: { heapUsed: number; external: number }
}
