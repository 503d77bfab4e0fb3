import { Address4, Address6 } from 'ip-address'
import { CnmError } from '../../src/contracts/errors.js'

export type Family = 4 | 6

/** A subnet as numbers: text exists only at the boundary. */
export interface Prefix {
  readonly family: Family
  /** First address. */
  readonly start: bigint
  /** Prefix length in bits. */
  readonly length: number
}

/** Addresses from one number to another, both included. */
export interface Range {
  readonly first: bigint
  readonly last: bigint
}

export const bitsOf = (family: Family): number => (family === 4 ? 32 : 128)
export const sizeOf = ({ family, length }: Pick<Prefix, 'family' | 'length'>): bigint => 1n << BigInt(bitsOf(family) - length)
export const lastOf = (prefix: Prefix): bigint => prefix.start + sizeOf(prefix) - 1n
export const contains = (prefix: Prefix, address: bigint): boolean => address >= prefix.start && address <= lastOf(prefix)
export const overlaps = (left: Prefix, right: Prefix): boolean =>
  left.family === right.family && left.start <= lastOf(right) && right.start <= lastOf(left)

export const formatAddress = (family: Family, address: bigint): string =>
  family === 4 ? Address4.fromBigInt(address).correctForm() : Address6.fromBigInt(address).correctForm()
export const formatPrefix = ({ family, start, length }: Prefix): string => `${formatAddress(family, start)}/${length}`

export const refused = (field: string, message: string): CnmError =>
  new CnmError('ERR_CNM_INVALID_ARGUMENT', `${field}: ${message}`, { field })

/** @throws CnmError ERR_CNM_INVALID_ARGUMENT naming the field, for anything but a plain address of the family */
export function parseAddress(text: string, family: Family, field: string): bigint {
  if (typeof text === 'string' && text.includes('/')) throw refused(field, `${text} has a prefix length where an address is expected`)
  return parse(text, family, field).value
}

/**
 * @throws CnmError ERR_CNM_INVALID_ARGUMENT naming the field, for anything but a prefix of the family without host bits;
 *   with host bits the message names the network that was probably meant
 */
export function parsePrefix(text: string, family: Family, field: string): Prefix {
  const prefix = parseLoosely(text, family, field)
  const { start } = networkOf(prefix)
  if (start !== prefix.start) {
    throw refused(field, `${text} has host bits set: the network is ${formatPrefix({ ...prefix, start })}`)
  }
  return prefix
}

/** The network that an address with a prefix length is in. @throws CnmError ERR_CNM_INVALID_ARGUMENT */
export const parseNetworkOf = (text: string, family: Family, field: string): Prefix => networkOf(parseLoosely(text, family, field))

/** What an IPv4-mapped or zoned address, or one of the other family, looks like, is refused before it is read. */
function parseLoosely(text: string, family: Family, field: string): Prefix {
  const { value, length } = parse(text, family, field)
  if (!text.includes('/')) throw refused(field, `${text} has no prefix length`)
  if (length === 0) throw refused(field, `${text} is not a subnet: its prefix length is 0`)
  return { family, start: value, length }
}

const networkOf = (prefix: Prefix): Prefix => ({ ...prefix, start: prefix.start & ~(sizeOf(prefix) - 1n) })

function parse(text: string, family: Family, field: string): { value: bigint; length: number } {
  if (typeof text !== 'string') throw refused(field, `expected text, got ${text === null ? 'null' : typeof text}`)
  if (text.includes('%')) throw refused(field, `${text} has a zone`)
  if (text.includes(':') !== (family === 6)) throw refused(field, `${text} is not IPv${family}`)
  if (!/^[0-9a-fA-F:.]+(\/(0|[1-9]\d{0,2}))?$/.test(text)) throw refused(field, `${text} is not an IPv${family} address or prefix`)
  let parsed: Address4 | Address6
  try {
    parsed = family === 4 ? new Address4(text) : new Address6(text)
  } catch (error) {
    throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `${field}: ${text}: ${error instanceof Error ? error.message : String(error)}`, {
      field,
      cause: error,
    })
  }
  const value = parsed.bigInt()
  if (family === 6 && value >> 32n === 0xffffn) throw refused(field, `${text} is an IPv4-mapped address: write it as IPv4`)
  return { value, length: parsed.subnetMask }
}
