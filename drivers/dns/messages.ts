import type { MessagePort } from 'node:worker_threads'
import type { DnsNetwork, DnsNetworkChange, DnsSandbox, DnsTuning, DnsView } from './contract.js'

/** What the resolver's thread is started with (workerData). */
export interface DnsThreadData {
  /** Carries {@link DnsMessage} one way and {@link DnsReport} the other. */
  port: MessagePort
  /** One 32-bit word: 1 while messages lie unread in the port. */
  unread: SharedArrayBuffer
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
  /** Closes everything and ends the thread. */
  | { do: 'stop' }

export type DnsReport =
  /** The thread serves; an 8-byte write to this descriptor (eventfd(2)) wakes it. Closed by whoever writes. */
  | { is: 'ready'; wakeFd: number }
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
