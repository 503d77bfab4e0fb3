/**
 * What the resolver is told, as plain data. Whoever drives it (the controller) keeps the networks and sandboxes; the
 * resolver answers from the last state it was given. Names are checked before they get here ({@link checkDnsName}).
 */

/** A port that can be found by SRV: `_http._tcp.<name>` (RFC 2782). */
export interface NamedPort {
  /** Service without the underscore: `http`. */
  name: string
  protocol: 'tcp' | 'udp' | 'sctp'
  port: number
  /** Lower is preferred. Default 0. */
  priority?: number
  /** Share among equals. Default 0. */
  weight?: number
}

/** One endpoint of a network, as others find it. */
export interface DnsEndpoint {
  id: string
  /**
   * Every name it answers to on this network: its own first (PTR and SRV answers show it first), then the names of
   * its sandbox, short ids, aliases, names of services. Several endpoints may share a name: all are in the answer.
   */
  names: readonly string[]
  /** Addresses, with or without prefix length. */
  addresses: readonly string[]
  ports?: readonly NamedPort[]
}

/** A network: a scope of names. */
export interface DnsNetwork {
  id: string
  /** Makes `<endpoint>.<network>` known. */
  name: string
  /** Seconds that answers about this network's names may be kept. Default 0. */
  ttl?: number
  endpoints: readonly DnsEndpoint[]
}

/** What changed in a network: endpoints by id. `put` replaces the endpoint of that id, if there is one. */
export interface DnsNetworkChange {
  id: string
  put?: readonly DnsEndpoint[]
  remove?: readonly string[]
}

/** A server that questions are forwarded to. */
export interface DnsServer {
  /** IPv4 or IPv6; link-local ones with their interface: `fe80::1%eth0`. */
  address: string
  /** Default 53. */
  port?: number
}

/**
 * Where questions go that no name of ours answers.
 *
 * - `servers`: these, in order, asked from `from`: the sandbox's namespace or the one the process runs in;
 * - `host`: the servers of the host's resolv.conf, as they are at that moment, asked from the host's namespace;
 * - `none`: nowhere; the answer is SERVFAIL.
 */
export type DnsForwarding = { to: 'servers'; servers: readonly DnsServer[]; from: 'sandbox' | 'host' } | { to: 'host' } | { to: 'none' }

/** What one sandbox sees. */
export interface DnsView {
  /** Ids of its networks, in the order in which they are searched. */
  networks: readonly string[]
  /** Extra hosts: name to addresses. They come before everything else. */
  hosts?: Readonly<Record<string, readonly string[]>>
  /** Names that only this sandbox uses for somebody on its networks: alias to name. */
  links?: Readonly<Record<string, string>>
  forwarding: DnsForwarding
  /**
   * `local`: A and AAAA of unknown names of one label are answered empty instead of being forwarded, because
   * resolv.conf sets `ndots` and the client will try its search list. Default `forward`.
   */
  singleLabels?: 'forward' | 'local'
}

/** A sandbox with its sockets, which from then on belong to the resolver: it closes them. */
export interface DnsSandbox {
  id: string
  /** Bound, non-blocking UDP sockets. */
  udp: readonly number[]
  /** Listening, non-blocking TCP sockets. */
  tcp: readonly number[]
  /** Path of the sandbox's network namespace; needed for servers that are asked from there. */
  namespace?: string
  view: DnsView
}

/** Limits and habits. Every one has a default, see {@link DEFAULT_TUNING}. */
export interface DnsTuning {
  /** Milliseconds a forwarded question may take in all; then SERVFAIL. Shorter than the 5 s after which stubs give up. */
  deadline: number
  /** Longest wait, in milliseconds, before a second server is asked. */
  hedge: number
  /** Different questions that may be out at servers at once. */
  inFlight: number
  /** Questions of one sandbox that may be waiting for servers; then SERVFAIL. */
  waitingPerSandbox: number
  /** Different questions that may wait until others are answered; then SERVFAIL. */
  queued: number
  /** Sockets, each with its own random port, per server. */
  socketsPerServer: number
  /** Bytes that cached answers may use. */
  cacheBytes: number
  /** Longest time, in seconds, that an answer is kept, whatever its TTL. */
  cacheSeconds: number
  /** The same for answers that say no. */
  negativeSeconds: number
  /** Mixes the case of forwarded names and insists on getting it back (draft-vixie-dnsext-dns0x20). Default off: not all servers do. */
  randomCase: boolean
  /** TCP connections of all sandboxes, and of one. Beyond, the one idle for longest is closed. */
  connections: number
  connectionsPerSandbox: number
  /** Milliseconds without a whole question after which a connection is closed. */
  idle: number
  /** Questions of one connection that may be unanswered; it is not read from meanwhile. */
  pipelined: number
  /** Bytes of answers that wait for a slow reader before the connection is closed. */
  unsentBytes: number
  /** The host's server list. */
  hostResolvConf: string
}

export const DEFAULT_TUNING: DnsTuning = {
  deadline: 4000,
  hedge: 200,
  inFlight: 16_384,
  waitingPerSandbox: 8192,
  queued: 16_384,
  socketsPerServer: 64,
  cacheBytes: 8 << 20,
  cacheSeconds: 86_400,
  negativeSeconds: 900,
  randomCase: false,
  connections: 1024,
  connectionsPerSandbox: 64,
  idle: 10_000,
  pipelined: 64,
  unsentBytes: 256 << 10,
  hostResolvConf: '/etc/resolv.conf',
}

/** Where the resolver is found inside a sandbox. */
export const RESOLVER_ADDRESS = '127.0.0.11'
/** The same for sandboxes without IPv4: an address that the sandbox's `lo` must have. */
export const RESOLVER_ADDRESS_6 = 'fd63:6e6d:646e::53'
