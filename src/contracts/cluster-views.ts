/** A host of a cluster. */
export interface NodeView {
  readonly name: string
  /** Where the other hosts reach it. */
  readonly address: string
}

/** An endpoint of the network that is joined on another host. */
export interface PeerView {
  readonly id: string
  readonly name: string
  readonly node: NodeView
  readonly mac: string
  /** With prefix length: `10.0.0.2/24`. */
  readonly addresses: readonly { address: string; family: 4 | 6 }[]
}

/** Numbers that no other network of the cluster may have: VNIs, for instance. */
export interface NumbersRequest {
  /** Numbers are unique among those who ask for the same kind. */
  kind: string
  count: number
  from: number
  /** Inclusive. */
  to: number
  /** These, in this order, or an error; without it any that are free. */
  wanted?: readonly number[]
}

/** One key for one direction between two hosts. */
export interface PairKey {
  /** Of the IPsec state that has the key. */
  readonly spi: number
  /**
   * Stands for the key in descriptions (`aead.key`): the core puts the key itself in its place on the way to the kernel, and
   * no record, listing or error has it. 36 bytes: a key of AES-256 and the salt of RFC 4106.
   */
  readonly key: string
}

/** A host with which this one shares a network whose driver asked for `pairKeys`. */
export interface PairView {
  readonly node: NodeView
  /** Keys for what goes there, the newest last; none while there is none that may be used. */
  readonly out: readonly PairKey[]
  /** Keys for what comes from there: with each of them, as long as it is here. */
  readonly in: readonly PairKey[]
}
