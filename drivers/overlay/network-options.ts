import { asBoolean, asInteger, parseOptions, type OptionParser, type OptionTable } from '../../src/contracts/index.js'

/** What the user's options for an overlay network mean. */
export interface OverlayOptions {
  /** VNIs, one for each segment; without it they are chosen, unique in the cluster. */
  vnis?: number[]
  /** Bytes; `auto`: that of the link with the node's address, less the encapsulation. */
  mtu: number | 'auto'
  /** UDP port of the encapsulation. */
  port: number
  /** The kernel, or the network card, computes checksums of encapsulated packets late; some cards and hypervisors get that wrong. */
  checksumOffload: boolean
}

export const DEFAULT_PORT = 4789
/** Docker leaves the lower ones to others. */
export const FIRST_VNI = 4096
export const LAST_VNI = 2 ** 24 - 1

const MIN_MTU = 68
const MAX_MTU = 65_535

const asMtu: OptionParser<number | 'auto'> = (text) => (text === 'auto' || text === '0' ? 'auto' : asInteger(MIN_MTU, MAX_MTU)(text))

const asVnis: OptionParser<number[]> = (text) => {
  const vnis = text.split(',').map((part) => asInteger(1, LAST_VNI)(part.trim()))
  if (new Set(vnis).size < vnis.length) throw new Error('expected each number once')
  return vnis
}

export const NETWORK_OPTIONS: OptionTable<OverlayOptions> = {
  'com.docker.network.driver.overlay.vxlanid_list': { to: 'vnis', parse: asVnis },
  mtu: { to: 'mtu', parse: asMtu },
  'com.docker.network.driver.mtu': { to: 'mtu', parse: asMtu },
  port: { to: 'port', parse: asInteger(1024, 65_535) },
  checksum_offload: { to: 'checksumOffload', parse: asBoolean },
}

export const DEFAULTS: OverlayOptions = { mtu: 'auto', port: DEFAULT_PORT, checksumOffload: true }

/** @throws CnmError ERR_CNM_UNKNOWN_OPTION, ERR_CNM_INVALID_ARGUMENT */
export const networkOptions = (raw: Readonly<Record<string, string>>): OverlayOptions =>
  parseOptions<OverlayOptions>(raw, NETWORK_OPTIONS, DEFAULTS, 'network of driver overlay')
