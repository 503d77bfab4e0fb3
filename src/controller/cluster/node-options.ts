/** This host in its cluster. */
export interface NodeOptions {
  /** Unique among the hosts of the cluster. */
  name: string
  /** Address of this host that the others reach: the outer address of overlay networks. */
  address: string
  /** Seconds after the last sign of life until the others suspect that this host is gone. Default 10. */
  lease?: number
  /** Seconds that another host may be suspect before its endpoints are withdrawn here. Default 10. */
  grace?: number
  /** Seconds after which the hosts change the keys of encrypted networks. Default 43,200 (12 hours). */
  keyLifetime?: number
}
