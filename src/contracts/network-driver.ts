import type { NumbersRequest, PairView, PeerView } from './cluster-views.js'
import type { Description } from './description.js'
import type { DriverCapabilities } from './driver-capabilities.js'
import type { HostFacts } from './host-facts.js'
import type { JsonValue } from './store.js'

export type { NodeView, NumbersRequest, PairKey, PairView, PeerView } from './cluster-views.js'
export type { DriverCapabilities } from './driver-capabilities.js'
export type { HostFacts, HostLink, HostRoute } from './host-facts.js'

/** One subnet of a network, with the address the network itself has on it. */
export interface SubnetView {
  /** `10.0.0.0/24` */
  subnet: string
  family: 4 | 6
  /** `10.0.0.1`; absent when the driver needs none and none was asked for, or when the gateway mode reserves none. */
  gateway?: string
  /** Named reservations (`--aux-address`). */
  reserved: Readonly<Record<string, string>>
}

/** A network as a driver sees it. */
export interface NetworkView<N = unknown> {
  readonly id: string
  /** First 12 digits of the id: what kernel names are made of. */
  readonly shortId: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  /** No way out and no way in, except from the host itself. */
  readonly internal: boolean
  readonly ipv4: boolean
  readonly ipv6: boolean
  readonly subnets: readonly SubnetView[]
  /** What {@link NetworkDriver.networkOptions} made of the user's options. */
  readonly options: N
  /** What {@link NetworkDriver.beforeCreate} returned: kept in the network's record. */
  readonly state?: JsonValue
  /** What {@link NetworkDriver.numbers} asked for, by the same names. */
  readonly numbers?: Readonly<Record<string, readonly number[]>>
  /** Of a network of scope `global`: its endpoints that are joined on other hosts, by id, as far as those hosts live. */
  readonly peers?: ReadonlyMap<string, PeerView>
  /** The hosts of these peers and the keys that this host shares with each, by name, where the driver asked for {@link NetworkDriver.pairKeys}. */
  readonly pairs?: ReadonlyMap<string, PairView>
}

export interface PortView {
  protocol: 'tcp' | 'udp' | 'sctp'
  /** One address of the host, `0.0.0.0` or `::` for all of a family; absent: all of both. */
  hostAddress?: string
  hostPort: number
  hostPortEnd?: number
  containerPort: number
}

/** An endpoint that is, or is about to be, joined to a sandbox. */
export interface EndpointView<E = unknown> {
  readonly id: string
  readonly shortId: string
  readonly name: string
  /** Name of the interface inside the sandbox. */
  readonly interfaceName: string
  readonly mac: string
  /** With prefix length: `10.0.0.2/24`. */
  readonly addresses: readonly { address: string; family: 4 | 6; gateway?: string }[]
  readonly ports: readonly PortView[]
  readonly labels: Readonly<Record<string, string>>
  readonly options: E
  readonly state?: JsonValue
}

export interface DriverContext {
  readonly instance: string
  /** Directory for files of this driver; made on first use, mode 0700. */
  readonly directory: string
  /**
   * The description of this network or endpoint is out of date: the core asks for a new one, and brings the kernel from
   * the old to the new in one transaction. Of a network, its endpoints and the list of its parts are asked for too.
   *
   * With `part`, only that part of the network is ({@link NetworkDriver.part}): the cost is that of the part, however many
   * others there are. Parts that change together are applied together.
   *
   * May be called at any time, from `start` on and as often as one likes: calls that meet are answered once, after
   * whatever else is being done with the object. Never throws; a description that cannot be made or applied becomes a
   * `warning` event, the kernel keeps the old one, and it is tried again.
   */
  changed(id: string, part?: string): void
  /** The networks of this driver that exist or are being made, so that {@link NetworkDriver.beforeCreate} can refuse what two cannot share. */
  networks(): readonly NetworkView[]
  /** Something the user should know; becomes a `warning` event. */
  warn(message: string, about?: string): void
}

export interface Announcements {
  /** 0: none. */
  count: number
  /** Milliseconds between two. */
  interval: number
}

export interface Publishing {
  /** Families in which published ports are ports of the host: the core reserves them, and frees their old connections. */
  families: readonly (4 | 6)[]
  /** Host address of ports that name none; without it every address of the host. */
  address?: string
  /**
   * A family in which no rule can lead packets to the endpoint, and its address of the other family: the core takes the
   * ports there too, and hands on TCP and UDP itself. The endpoint sees connections of the host.
   */
  proxied?: { family: 4 | 6; to: string }
}

/**
 * A network driver describes; it does not act. Given a network or an endpoint it returns what must exist in the
 * kernel, and the engine makes it so. The hooks are for effects outside the kernel.
 *
 * @typeParam N the driver's network options, parsed
 * @typeParam E the driver's endpoint options, parsed
 */
export interface NetworkDriver<N = unknown, E = unknown> {
  readonly name: string
  readonly capabilities?: DriverCapabilities
  /**
   * Parses the user's options, given as strings under the names users know. Must refuse what it does not know
   * (`parseOptions` of libcnm/contracts does, and names the nearest known option).
   * @throws CnmError ERR_CNM_UNKNOWN_OPTION, ERR_CNM_INVALID_ARGUMENT
   */
  networkOptions(raw: Readonly<Record<string, string>>): N
  /** The same for endpoints. Without it every endpoint option is refused. */
  endpointOptions?(raw: Readonly<Record<string, string>>): E
  /** Host links (an existing bridge, a parent) whose state this network's descriptions depend on; a change of one asks for them anew. */
  hostLinks?(network: NetworkView<N>): readonly string[]
  /**
   * Whether a gateway address of this family is reserved for the network; overrides {@link DriverCapabilities.gateway}
   * where the answer depends on options.
   */
  gateway?(options: N, family: 4 | 6, internal: boolean): 'always' | 'if-asked' | 'never'
  /** Whether a network with these options has no way out, also when nobody asked for an internal one. Without it: no. */
  internal?(options: N): boolean
  /**
   * The MAC of every endpoint's interface, where it is not the endpoint's own to have (that of a parent device). Without
   * it, or when it returns nothing, each has one of its own. An endpoint that asks for another one is refused.
   */
  interfaceMac?(network: NetworkView<N>, host: HostFacts): string | undefined
  /** What the network needs that no other of the cluster may have; asked once, before {@link beforeCreate}. Only of scope `global`. */
  numbers?(network: NetworkView<N>): Readonly<Record<string, NumbersRequest>>
  /**
   * Whether what the network sends between hosts is encrypted, with keys that each two hosts share: {@link NetworkView.pairs}.
   * The driver describes each pair as a {@link part} named by {@link pairPart}, and the core asks for that part anew when the
   * host comes or goes and when keys do. States are described with what stands for the key; one that is lost is not made
   * again from the same key. Before such a network comes to a host, the kernel is asked whether it can ESP. Only of scope
   * `global`.
   */
  pairKeys?(network: NetworkView<N>): boolean
  /** What must exist while the network does. */
  network(network: NetworkView<N>, host: HostFacts): Description
  /** What must exist while the endpoint is joined. */
  endpoint(endpoint: EndpointView<E>, network: NetworkView<N>, host: HostFacts): Description
  /**
   * Names of the parts that a network consists of besides {@link network}, for what comes and goes in large numbers while
   * the network stays: one part for each remote endpoint, with its FDB entry and its neighbour, say. Each part is kept
   * and applied by itself, so that a change costs what that part costs. Asked when the network is made, when a controller
   * opens, and after `changed(id)`. Names are 1 to 128 letters, digits and `._:-`.
   *
   * Several parts may describe the same object in the same words, like any owners: it goes with the last of them.
   */
  parts?(network: NetworkView<N>): Iterable<string>
  /** What must exist for one part; empty when there is no such part any more. Needed with {@link parts}. */
  part?(network: NetworkView<N>, part: string, host: HostFacts): Description
  /**
   * How often the addresses of an endpoint that has just joined are announced to its neighbours (gratuitous ARP,
   * unsolicited neighbour advertisements). Without it: never. The core asks the kernel to announce by setting the
   * interface's own MAC again; the description must switch on arp_notify and ndisc_notify for the interface. Where the
   * interface is described by itself, not only as the end of a pair, the kernel has announced once by then.
   */
  announcements?(endpoint: EndpointView<E>, network: NetworkView<N>): Announcements
  /**
   * How the ports of an endpoint are published; asked before any is allocated, and may refuse by throwing. Without it:
   * on the host, in every family that the endpoint has an address of.
   */
  publishing?(endpoint: EndpointView<E>, network: NetworkView<N>): Publishing

  /** Once, before anything else is called. */
  start?(context: DriverContext): Promise<void>
  /** Once, when the controller closes; nothing is called afterwards. */
  stop?(): Promise<void>
  /** Before the first description of a network; may refuse by throwing. What it returns is kept as `network.state`. */
  beforeCreate?(network: NetworkView<N>, host: HostFacts, signal: AbortSignal): Promise<JsonValue | void>
  /**
   * Before other options of a network that exists take effect; refuses by throwing what cannot change while it does.
   * What it returns is kept as `network.state` from then on; nothing: the state stays. Without this hook no option can
   * change.
   */
  beforeUpdate?(network: NetworkView<N>, before: NetworkView<N>, host: HostFacts, signal: AbortSignal): Promise<JsonValue | void>
  /** After everything described for the network has left the kernel. Must tolerate being called again. */
  afterDelete?(network: NetworkView<N>, signal: AbortSignal): Promise<void>
  /** Before an endpoint's first description; what it returns is kept as `endpoint.state`. */
  beforeJoin?(endpoint: EndpointView<E>, network: NetworkView<N>, host: HostFacts, signal: AbortSignal): Promise<JsonValue | void>
  /** After everything described for the endpoint has left the kernel. Must tolerate being called again. */
  afterLeave?(endpoint: EndpointView<E>, network: NetworkView<N>, signal: AbortSignal): Promise<void>
}
