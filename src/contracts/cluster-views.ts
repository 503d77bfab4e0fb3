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
