import type { FirewallRule, Verdict } from './firewall-rules.js'
import type { KeyPart, Scalar, SetType } from './firewall-types.js'
import type { Place } from './kernel-objects.js'

export type * from './firewall-rules.js'
export type * from './firewall-types.js'

/**
 * nf_tables objects, close to the vocabulary of nft(8) and its JSON form (libnftables-json(5)). Names start with a
 * letter, `_` or `.`, go on with letters, digits and `_ . / -`, and have up to 255 bytes. Comments have up to 128
 * bytes; libcnm keeps the owner of rules and elements there. A comment of a table, chain or set cannot be changed.
 */
export type FirewallFamily = 'inet' | 'ip' | 'ip6' | 'bridge' | 'netdev' | 'arp'

/** `nft add table inet cnm`. Identity: place, family, name. Deleting it deletes all that is in it. */
export interface FirewallTable {
  kind: 'nft-table'
  at: Place
  family: FirewallFamily
  name: string
  comment?: string
}

interface InTable {
  at: Place
  family: FirewallFamily
  /** Name of the table. */
  table: string
}

/** Where a base chain is hooked into the packet path. */
export interface BaseChain {
  type: 'filter' | 'nat' | 'route'
  hook: 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting' | 'ingress' | 'egress'
  /** Lower comes first; nft's `filter` is 0 (-200 in bridge tables), `dstnat` -100, `srcnat` 100, `raw` -300. */
  priority: number
  /** What happens to packets that reach the end. Default `accept`. */
  policy?: 'accept' | 'drop'
  /** Interface of an ingress or egress chain. */
  device?: string
}

/**
 * `nft add chain`, with its rules in order: rules have no identity of their own. Identity: place, family, table, name.
 * A change of the rules is made at once for all packets; counters of the chain start again at zero.
 */
export interface FirewallChain extends InTable {
  kind: 'nft-chain'
  name: string
  /** Absent: a regular chain, reached by jump and goto. */
  base?: BaseChain
  comment?: string
  /** Absent: somebody else's. The chain is made without rules; later ones are neither compared nor touched. */
  rules?: FirewallRule[]
}

export type SetFlag = 'constant' | 'interval' | 'timeout' | 'dynamic'

/** What one must know of a set to write its elements. */
export interface SetShape {
  name: string
  /** One type, or the parts of a concatenated key. */
  key: SetType[]
  /** Makes it a map, or with `verdict` a verdict map. */
  data?: SetType[] | 'verdict'
  /**
   * - `interval`: keys may be ranges and prefixes; of host-order types (marks, ids) the packet path must look up
   *   `{ hton: ... }`, as such keys are kept in network order.
   * - `constant`: no element can be added once a rule uses the set.
   * - `timeout`: elements may have one.
   * - `dynamic`: the packet path adds elements; without a `size` they are as many as packets make.
   */
  flags?: SetFlag[]
  /** Data are ranges or prefixes (nft's `interval` before a data type), for `dnat ip prefix to`. */
  dataInterval?: boolean
}

/** `nft add set`, `nft add map`. Identity: place, family, table, name. Only elements of it can change. */
export interface FirewallSet extends InTable, SetShape {
  kind: 'nft-set'
  /** Most elements it may hold. */
  size?: number
  /** Default lifetime of elements, milliseconds. */
  timeout?: number
  /** How often expired elements are collected, milliseconds. */
  gcInterval?: number
  /** A note for nft(8), which then merges adjacent intervals; the kernel and libcnm do not. */
  autoMerge?: boolean
  /** Every element counts the packets that matched it. */
  counter?: boolean
  policy?: 'performance' | 'memory'
  comment?: string
}

/** `nft add element`. Identity: place, family, table, name of the set, key. */
export interface FirewallElement extends InTable {
  kind: 'nft-element'
  set: SetShape
  /** As many parts as the key of the set; `['*']` is the element that matches when no other does. */
  key: KeyPart[]
  /** For a map; as many parts as its data. */
  data?: Scalar[]
  /** For a verdict map. */
  verdict?: Verdict
  comment?: string
  /** Lifetime, milliseconds. */
  timeout?: number
}

export type FirewallObject = FirewallTable | FirewallChain | FirewallSet | FirewallElement
