import type { PortView } from '../contracts/network-driver.js'

/** One subnet of a network. */
export interface SubnetOptions {
  /** `10.10.0.0/24`, or a size: `0.0.0.0/24`, `::/64`. Without it a free subnet is chosen. */
  subnet?: string
  /** Address of the network itself. Default: the first of the subnet. */
  gateway?: string
  /** Dynamic addresses come from here only: `10.10.0.128/25`. */
  range?: string | string[]
  /** Addresses that are never given dynamically, by name. */
  reserved?: Record<string, string>
}

/** A route in sandboxes, beside the default route and those to the subnets. */
export interface RouteOptions {
  /** `10.20.0.0/16`, `fd00:20::/64`. */
  destination: string
  /** Needed for unicast, unless there are `nextHops`. One that is on none of the endpoint's subnets is reached as the sandbox's other routes say. */
  gateway?: string
  /** Several gateways, among which connections are spread by weight (1 to 256, default 1). */
  nextHops?: { gateway: string; weight?: number }[]
  /** Of several routes to one destination the lowest counts. Default: the kernel's (0 for IPv4, 1024 for IPv6). */
  metric?: number
  /** `blackhole` drops, `unreachable` and `prohibit` answer with an error. Default `unicast`. */
  type?: 'unicast' | 'blackhole' | 'unreachable' | 'prohibit'
}

export interface NetworkOptions {
  /** Unique among the networks of the controller: letters, digits, `_.-`. */
  name: string
  /** Default `bridge`. */
  driver?: string
  /** Options of the driver under the names users know; an unknown one is refused. */
  options?: Record<string, string>
  labels?: Record<string, string>
  /** Default: `{ driver: 'default' }`, one free subnet per family. */
  ipam?: { driver?: string; options?: Record<string, string>; pools?: SubnetOptions[] }
  /** No way out and no way in except from the host. Default false. */
  internal?: boolean
  /** Kept for users of swarm networks: whether sandboxes that belong to no service may join. Default true. */
  attachable?: boolean
  /** Default true. */
  enableIPv4?: boolean
  /** Default false, or true when an IPv6 subnet is given. Without one, a ULA /64 is made. */
  enableIPv6?: boolean
  /** Only a template for other networks: never joined, nothing in the kernel. */
  configOnly?: boolean
  /** Name of the template that gives this network its addresses and driver options. */
  configFrom?: string
  /** Name servers for sandboxes on this network. */
  dns?: string[]
  /** Seconds that answers about names on this network may be kept. Default 0: changes are seen at once. */
  dnsTtl?: number
  /** Routes in every sandbox on this network. */
  routes?: RouteOptions[]
  signal?: AbortSignal
}

/** What {@link Endpoint.update} changes; what is absent stays. */
export interface EndpointChanges {
  name?: string
  /** Instead of the present ones. */
  aliases?: string[]
  services?: EndpointOptions['services']
  /** Added to the present ones; `null` takes one away. */
  labels?: Record<string, string | null>
}

/** What {@link Sandbox.update} changes; what is absent stays. */
export interface SandboxChanges {
  name?: string
  /** Each instead of the present one. Programs that run see `search` and `options` when they read resolv.conf again. */
  dns?: SandboxOptions['dns']
  /** Added to the present ones; `null` takes one away. */
  extraHosts?: Record<string, string | null>
  labels?: Record<string, string | null>
}

/** What {@link Network.update} changes; what is absent stays. */
export interface NetworkChanges {
  /** Added to the present ones; `null` takes one away. */
  labels?: Record<string, string | null>
  /** Options of the driver, likewise. The page of the driver says which can change. */
  options?: Record<string, string | null>
  /** Instead of the present ones. */
  dns?: string[]
  dnsTtl?: number
  routes?: RouteOptions[]
  signal?: AbortSignal
}

/** A published port. */
export interface PortOptions {
  container: number
  /** Last port of a range. */
  containerEnd?: number
  /** Default: a free port. */
  host?: number
  hostEnd?: number
  /** Host address, or several. Default: all, of both families. */
  address?: string | string[]
  /** Default `tcp`. */
  protocol?: PortView['protocol']
}

export interface EndpointOptions {
  /** Unique on its network. */
  name: string
  /** More names under which other endpoints of the network find it. */
  aliases?: string[]
  /** Static addresses, at most one of each subnet; they stay with the endpoint until it is deleted. */
  addresses?: string[]
  /** Extra link-local addresses (169.254.0.0/16, fe80::/10), set as they are. */
  linkLocalAddresses?: string[]
  /** Default: random, locally administered. */
  mac?: string
  /** Exact name inside the sandbox. Default: the network's prefix (`eth`) and the next free number. */
  interfaceName?: string
  /** The endpoint with the highest priority gives its sandbox the default route. Default 0. */
  gatewayPriority?: number
  /** Sysctls of the interface, with `IFNAME` for its name: `{ 'net.ipv4.conf.IFNAME.arp_ignore': '1' }`. */
  sysctls?: Record<string, string>
  /** Routes in the sandbox, beside those of the network. */
  routes?: RouteOptions[]
  ports?: PortOptions[]
  /** Ports that others find by SRV questions: `_http._tcp.<name>`. */
  services?: { name: string; port: number; /** Default `tcp`. */ protocol?: PortView['protocol'] }[]
  labels?: Record<string, string>
  /** Options of the driver for this endpoint. */
  options?: Record<string, string>
  signal?: AbortSignal
}

export interface SandboxOptions {
  /** Unique among the sandboxes of the controller. */
  name: string
  /** An existing network namespace: a path, `{ pid }`, or `host`. Default: a new one, removed with the sandbox. */
  netns?: string | { pid: number }
  /** Default: the name. */
  hostname?: string
  dns?: {
    /** Name servers instead of the network's or the host's. */
    servers?: string[]
    search?: string[]
    /** `ndots:0`, `timeout:2` ... */
    options?: string[]
  }
  /** Lines for the hosts file: name to address. */
  extraHosts?: Record<string, string>
  labels?: Record<string, string>
  signal?: AbortSignal
}

export interface OperationOptions {
  /** Ends the wait. A removal that has begun is finished all the same. */
  signal?: AbortSignal
}
