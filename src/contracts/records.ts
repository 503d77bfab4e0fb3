import type { Description } from './description.js'
import type { RouteObject } from './kernel-objects.js'
import type { PortView } from './network-driver.js'
import type { JsonValue } from './store.js'

/**
 * What the store keeps: one record per object. A record carries its schema's version, and is checked against the
 * schema when it is read.
 */

/**
 * Where an object is in its life. `description` is what the kernel holds in phase `ready` (what a sandbox wants follows
 * from its own record and its endpoints'), `previous` what it may hold of the description before while a new one is
 * being applied. In the other phases, `description` is what may be there in part: a start-up finds out, and finishes
 * `leaving` and `deleting`, and undoes `creating` and `joining`. An endpoint that is made and joined in one go is
 * `creating` to the end of that.
 */
export type Phase = 'creating' | 'joining' | 'ready' | 'leaving' | 'deleting'

export interface PoolRecord {
  /** Id of the pool in its IPAM driver. */
  id: string
  family: 4 | 6
  subnet: string
  gateway?: string
  /** The gateway was allocated by us and is given back with the pool. */
  gatewayAllocated?: boolean
  ranges: string[]
  reserved: Record<string, string>
}

/** A route that a user wants in sandboxes, checked and in canonical text. */
export interface StaticRouteRecord {
  destination: string
  gateway?: string
  nextHops?: { gateway: string; weight?: number }[]
  metric?: number
  /** Absent: unicast. */
  type?: 'blackhole' | 'unreachable' | 'prohibit'
}

export interface NetworkRecord {
  kind: 'network'
  version: 1
  id: string
  name: string
  created: string
  phase: Phase
  driver: string
  internal: boolean
  attachable: boolean
  ipv4: boolean
  ipv6: boolean
  configOnly: boolean
  configFrom?: string
  labels: Record<string, string>
  options: Record<string, string>
  ipamDriver: string
  ipamOptions: Record<string, string>
  pools: PoolRecord[]
  /** Name servers for everything on this network. */
  dns: string[]
  /** Seconds that answers about names on this network may be kept; absent: 0. */
  dnsTtl?: number
  /** Routes in every sandbox on this network. */
  routes?: StaticRouteRecord[]
  /** Of a config-only network: the subnets that networks made from it ask for. */
  template?: JsonValue
  state?: JsonValue
  /** Numbers that are its own in the cluster, by the names under which its driver asked for them. */
  numbers?: Record<string, number[]>
  /** Made by the core itself, as the way out of sandboxes: its endpoints have no names. */
  gateway?: boolean
  description: Description
  previous?: Description
}

/** A part of a network that its driver describes by itself. */
export interface PartRecord {
  kind: 'part'
  version: 1
  network: string
  name: string
  /** Empty: the part is about to go. */
  description: Description
  previous?: Description
}

export interface EndpointAddressRecord {
  pool: string
  /** With prefix length. */
  address: string
  family: 4 | 6
  gateway?: string
  /** Asked for by the user: stays with the endpoint until it is deleted. */
  static: boolean
}

/** What an endpoint gets at join from a driver whose addresses are leases. */
export interface EndpointLeaseRecord {
  pool: string
  family: 4 | 6
  /** Asked for by the user. */
  static: boolean
  /** With prefix length: the one held now or last, or the one asked for; empty before the first join. */
  address: string
  gateway?: string
  /** Milliseconds since the epoch. */
  expires?: number
  data?: Record<string, string>
}

export interface PortRequestRecord {
  container: number
  containerEnd?: number
  host?: number
  hostEnd?: number
  address?: string | string[]
  protocol?: PortView['protocol']
}

export interface EndpointRecord {
  kind: 'endpoint'
  version: 1
  id: string
  name: string
  created: string
  phase: Phase
  network: string
  sandbox?: string
  aliases: string[]
  labels: Record<string, string>
  options: Record<string, string>
  addresses: EndpointAddressRecord[]
  /** Of an IPAM driver with leases: {@link addresses} has what is held of them, none while not joined. */
  leases?: EndpointLeaseRecord[]
  linkLocal: string[]
  mac: string
  /** Asked for by the user; otherwise given at join. */
  wantedInterfaceName?: string
  interfaceName?: string
  gatewayPriority: number
  sysctls: Record<string, string>
  /** Routes in the sandbox that it is joined to, beside its network's. */
  routes?: StaticRouteRecord[]
  /** What the user wants published; host ports are given at join. */
  wantedPorts: PortRequestRecord[]
  ports: PortView[]
  /** Ports that others find by SRV. */
  services?: { name: string; protocol: 'tcp' | 'udp' | 'sctp'; port: number }[]
  state?: JsonValue
  /** Without default routes: those are {@link gateways}, from which the sandbox takes one per family. */
  description: Description
  gateways: RouteObject[]
  previous?: Description
}

export interface SandboxRecord {
  kind: 'sandbox'
  version: 1
  id: string
  name: string
  created: string
  phase: Phase
  labels: Record<string, string>
  /** `host`, or the path of the namespace. */
  namespace: string
  /** The namespace was made by us and goes with the sandbox. */
  owned: boolean
  /** The namespace was somebody else's and is gone: nothing can join any more. */
  lost?: boolean
  hostname: string
  /** The host name was asked for, and is a name under which others find the sandbox. */
  hostnameGiven?: boolean
  dns: { servers: string[]; search: string[]; options: string[] }
  extraHosts: Record<string, string>
  /** Where the embedded resolver listens inside; since the first join of a network with names. */
  resolver?: { ipv4: { udp: number; tcp: number }; ipv6?: { udp: number; tcp: number } }
  /** In the order in which they were mounted. */
  mounts?: SandboxMountRecord[]
}

/** What is mounted for the programs of a sandbox. */
export interface SandboxMountRecord {
  target: string
  /** `mounting`: nobody was told of it. `unmounting`: it is to go. */
  phase: 'mounting' | 'ready' | 'unmounting'
  /** Id of a volume, a path of the host, or a file system in memory. */
  source: { volume: string; subpath?: string } | { bind: string; recursive: boolean } | { tmpfs: string[] }
  readOnly: boolean
  propagation: 'private' | 'slave' | 'shared' | 'rprivate' | 'rslave' | 'rshared'
}

export interface AnyRecord {
  network: NetworkRecord
  endpoint: EndpointRecord
  sandbox: SandboxRecord
  part: PartRecord
}
