import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { CnmError } from '../contracts/errors.js'

/**
 * 64 hex digits, as users of container engines know ids: out of the random parts of UUIDs, for which Node.js keeps random
 * numbers in stock. Asking for new ones takes 40 microseconds.
 */
export const newId = (): string => [randomDigits(), randomDigits(), randomDigits()].join('').slice(0, 64)

/** 24 hex digits: of version 4, the third and the fourth part are not all random. */
function randomDigits(): string {
  const uuid = randomUUID()
  return `${uuid.slice(0, 8)}${uuid.slice(9, 13)}${uuid.slice(24)}`
}

export const shortId = (id: string): string => id.slice(0, 12)

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/

/** @throws CnmError ERR_CNM_INVALID_ARGUMENT */
export function checkName(name: unknown, what: string): string {
  if (typeof name === 'string' && NAME.test(name)) return name
  throw new CnmError(
    'ERR_CNM_INVALID_ARGUMENT',
    `${what}: ${JSON.stringify(name)} is no valid name: letters, digits, _ . - up to 128, the first one a letter or digit`,
    { field: 'name' },
  )
}

const DNS_NAME = /^(?=.{1,253}$)[a-zA-Z0-9_-]{1,63}(\.[a-zA-Z0-9_-]{1,63})*$/

/** Whether others can ask for the name. Names of objects may be longer than DNS allows: those are known by their short id. */
export const isDnsName = (name: string): boolean => DNS_NAME.test(name)

/** @throws CnmError ERR_CNM_INVALID_ARGUMENT */
export function checkDnsName(name: string, field: string): string {
  if (isDnsName(name)) return name
  throw new CnmError(
    'ERR_CNM_INVALID_ARGUMENT',
    `${field}: ${JSON.stringify(name)} is no DNS name: labels of letters, digits, - and _, up to 63 each and 253 in all`,
    { field },
  )
}

const INTERFACE = /^[^\s/:%]{1,15}$/

/** A name that the kernel takes for an interface. @throws CnmError ERR_CNM_INVALID_ARGUMENT */
export function checkInterfaceName(name: unknown, field: string): string {
  if (typeof name === 'string' && INTERFACE.test(name) && name !== '.' && name !== '..' && name !== 'lo') return name
  throw new CnmError(
    'ERR_CNM_INVALID_ARGUMENT',
    `${field}: ${JSON.stringify(name)} is no interface name: up to 15 bytes without spaces, '/', ':' or '%', and not lo`,
    { field },
  )
}

/** A random MAC address: locally administered, unicast. */
export const newMac = (): string => localMac(randomBytes(6))

/** The MAC that an address has wherever and whenever it is given: `02:42:` and the IPv4 address, or a digest of an IPv6 one. */
export function macOfAddress(address: string): string {
  if (!address.includes(':')) return localMac(Uint8Array.from([0x02, 0x42, ...address.split('.').map(Number)]))
  return localMac(createHash('sha256').update(address).digest().subarray(0, 6))
}

function localMac(bytes: Uint8Array): string {
  return [(bytes[0]! & 0xfc) | 0x02, ...bytes.subarray(1)].map((byte) => byte.toString(16).padStart(2, '0')).join(':')
}

const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/

/** @throws CnmError ERR_CNM_INVALID_ARGUMENT */
export function checkMac(mac: unknown, field: string): string {
  const text = typeof mac === 'string' ? mac.toLowerCase().replaceAll('-', ':') : ''
  if (!MAC.test(text)) throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `${field}: ${JSON.stringify(mac)} is no MAC address`, { field })
  if ((parseInt(text.slice(0, 2), 16) & 1) === 1)
    throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `${field}: ${text} is a multicast address, an interface cannot have it`, { field })
  return text
}
