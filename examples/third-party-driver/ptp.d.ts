import type { NetworkDriver } from 'libcnm/contracts'

export interface PtpOptions {
  /** Bytes. Default 1500. */
  mtu: number
}

/** Networks of routed point-to-point links: no bridge, no broadcasts, the host is everybody's neighbour. */
export function ptp(): NetworkDriver<PtpOptions>
