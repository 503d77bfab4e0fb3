import type { CnmError } from '../../contracts/errors.js'
import type { KernelObject, Place } from '../../contracts/kernel-objects.js'

/** Kinds of objects whose comings and goings the kernel tells. */
export type WatchedKind = 'link' | 'bridge-port' | 'address' | 'route' | 'neighbour' | 'fdb' | 'policy-rule'

/** An object was made or changed (`added`, with its new state), or is gone (`removed`, with its last one). */
export interface ObjectEvent {
  kind: WatchedKind
  action: 'added' | 'removed'
  /** `host`, a namespace that is followed, or `nsid:<n>` for another one that has a number. */
  at: Place
  /** Name of the link that the event is about, if it is about one and its name is known. */
  link?: string
  /** Absent where libcnm has no words for it. */
  object?: KernelObject
}

/** A followed namespace is gone. */
export interface NamespaceEvent {
  kind: 'namespace'
  action: 'removed'
  at: Place
}

/** A batch of nftables changes was committed, by whomever. */
export interface NftablesEvent {
  kind: 'nftables'
  action: 'changed'
  at: Place
  /** Number of the ruleset generation. */
  generation: number
  /** Thread that committed it, and its name; 0 and empty for the kernel itself. */
  pid: number
  program: string
  /** Committed by the kernel thread that reports it. */
  own: boolean
}

/** The kernel dropped events because they were not read fast enough: only a dump tells what is true now. */
export interface OverrunEvent {
  kind: 'overrun'
}

/** The watch has ended by itself. */
export interface FailedEvent {
  kind: 'failed'
  error: CnmError
}

export type KernelEvent = ObjectEvent | NamespaceEvent | NftablesEvent | OverrunEvent | FailedEvent
