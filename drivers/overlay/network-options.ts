import { asBoolean, asInteger, asOneOf, CnmError, parseOptions, type OptionParser, type OptionTable } from '../../src/contracts/index.js'

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
  /** Between hosts: ESP in transport mode with AES-GCM. */
  encrypted: boolean
}

/** As the user writes it: what is left out follows from the rest. */
interface Given extends Omit<OverlayOptions, 'port' | 'encrypted'> {
  port?: number
  encrypted?: boolean
  encryption?: 'ipsec'
}

export const DEFAULT_PORT = 4789
/** Of encrypted networks, apart from the others: what the kernel protects, it knows by the port. Nobody sees it between hosts. */
export const ENCRYPTED_PORT = 4788
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

/** Docker's users write the name alone. */
const asPresent: OptionParser<boolean> = (text) => text === '' || asBoolean(text)

const asEncryption: OptionParser<'ipsec'> = (text) => {
  if (text === 'wireguard') throw new Error('WireGuard between hosts is not made by this driver: expected ipsec')
  return asOneOf('ipsec')(text)
}

const NETWORK_OPTIONS: OptionTable<Given> = {
  'com.docker.network.driver.overlay.vxlanid_list': { to: 'vnis', parse: asVnis },
  mtu: { to: 'mtu', parse: asMtu },
  'com.docker.network.driver.mtu': { to: 'mtu', parse: asMtu },
  port: { to: 'port', parse: asInteger(1024, 65_535) },
  checksum_offload: { to: 'checksumOffload', parse: asBoolean },
  encrypted: { to: 'encrypted', parse: asPresent },
  encryption: { to: 'encryption', parse: asEncryption },
}

const WHAT = 'network of driver overlay'

/** @throws CnmError ERR_CNM_UNKNOWN_OPTION, ERR_CNM_INVALID_ARGUMENT */
export function networkOptions(raw: Readonly<Record<string, string>>): OverlayOptions {
  const { encryption, ...given } = parseOptions<Given>(raw, NETWORK_OPTIONS, { mtu: 'auto', checksumOffload: true }, WHAT)
  const encrypted = given.encrypted ?? encryption !== undefined
  if (!encrypted && encryption !== undefined)
    throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `${WHAT}: encrypted is false, and encryption is ${encryption}`, {
      field: 'options.encryption',
    })
  return { ...given, encrypted, port: given.port ?? (encrypted ? ENCRYPTED_PORT : DEFAULT_PORT) }
}
