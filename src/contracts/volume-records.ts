import type { Phase } from './records.js'
import type { JsonValue } from './store.js'

export interface VolumeRecord {
  kind: 'volume'
  version: 1
  id: string
  name: string
  created: string
  phase: Phase
  driver: string
  /** Without secrets; those are in a file of their own. */
  options: Record<string, string>
  labels: Record<string, string>
  accessMode: 'shared' | 'single-writer'
  /** A snapshot: never written to. */
  readOnly: boolean
  /** `new`: nobody has written to it; `filling`: it is being filled from a sandbox's files, which a crash undoes. */
  content: 'new' | 'filling' | 'used'
  state?: JsonValue
}

/** A consumer of a volume. It exists before the volume is mounted, and goes after it has been unmounted. */
export interface VolumeLeaseRecord {
  kind: 'volume-lease'
  version: 1
  volume: string
  consumer: string
  /** `mounting`: nobody was told of it. `unmounting`: the last use has been given up. */
  phase: 'mounting' | 'ready' | 'unmounting'
  since: string
  /** How often it was mounted by this consumer and not yet unmounted; those for reading only are counted apart. */
  writes: number
  reads: number
}

/** Who may write to a single-writer volume now; in the cluster's store for a volume of global scope. */
export interface VolumeWriterRecord {
  kind: 'volume-writer'
  version: 1
  volume: string
  node: string
  instance: string
  consumer: string
  since: string
}

export interface VolumeRecords {
  volume: VolumeRecord
  'volume-lease': VolumeLeaseRecord
  'volume-writer': VolumeWriterRecord
}
