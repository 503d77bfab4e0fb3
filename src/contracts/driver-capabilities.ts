/** What differs between drivers, for the core, which never asks for a driver's name. */
export interface DriverCapabilities {
  /**
   * `local`: networks live on this host. `global`: in the store of the cluster, known to all of its hosts; what is
   * described for one is in the kernel of those hosts alone where an endpoint of it is joined. Such a network knows its
   * `NetworkView.peers`: a driver describes each as a part by the peer's id, and the core asks
   * for that part anew when the peer comes, changes or goes. Default `local`.
   */
  scope?: 'local' | 'global'
  /**
   * `own`: networks have their own way out of the host, or none. `gateway-network`: the core gives sandboxes without any
   * other default route an interface on a bridge network of the host's, unless the network is internal, and publishes
   * the endpoints' ports through it. Default `own`.
   */
  outside?: 'own' | 'gateway-network'
  /** Endpoints may publish ports. Default false: asking for it is refused. */
  publishesPorts?: boolean
  /** More than one subnet per family. Default false. */
  severalSubnets?: boolean
  /**
   * Whether a gateway address is reserved for the network: `always`, `unless-internal`, or `if-asked` (only the one the
   * user gave). Default `always`.
   */
  gateway?: 'always' | 'unless-internal' | 'if-asked'
  /** Addresses are managed. False: no pools, no addresses (host, null). Default true. */
  addresses?: boolean
  /** Endpoints of this driver use the host's own stack: only the host's sandbox can join. Default false. */
  hostStack?: boolean
  /** Endpoints have an interface. False: joining only records membership. Default true. */
  interfaces?: boolean
  /**
   * The MAC of an endpoint follows from its first address, unless the caller gives one. For networks whose endpoints cannot
   * announce themselves to all others: who still has a former endpoint with the same address in its neighbour table
   * reaches the present one. Default false: a random MAC.
   */
  macFromAddress?: boolean
  /** How many networks of this driver may exist. Default: any number. */
  singleton?: boolean
  /** Names on this network resolve through the embedded resolver. Default true. */
  resolver?: boolean
}
