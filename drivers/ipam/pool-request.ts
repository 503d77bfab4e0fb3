import { createHash } from 'node:crypto'
import * as v from 'valibot'
import type { PoolRequest } from '../../src/contracts/ipam-driver.js'
import { parsePoolOptions, type PoolOptions } from './pool-options.js'
import {
  contains,
  formatPrefix,
  lastOf,
  overlaps,
  parseAddress,
  parseNetworkOf,
  parsePrefix,
  type Prefix,
  type Range,
  refused,
} from './prefix.js'
import { mergeRanges, parseRanges } from './ranges.js'
import { subnetName } from './records.js'

const SPACE = /^[a-z0-9][a-z0-9._-]{0,31}$/

const names = v.record(v.string(), v.string())
const fields = v.strictObject({
  space: v.pipe(v.string(), v.regex(SPACE, 'expected letters, digits, ".", "_" and "-"')),
  owner: v.pipe(v.string(), v.minLength(1), v.maxLength(256)),
  family: v.picklist([4, 6]),
  subnet: v.optional(v.string()),
  ranges: v.optional(v.array(v.string())),
  reserved: v.optional(names),
  exclude: v.optional(v.array(v.string())),
  options: v.optional(names),
})

/** A request for a pool, in numbers. */
export interface ParsedPoolRequest {
  readonly space: string
  readonly owner: string
  readonly family: 4 | 6
  /** The subnet asked for by name. */
  readonly subnet: Prefix | undefined
  /** The prefix length asked for, when any subnet of that size will do. */
  readonly length: number | undefined
  /** Sorted, apart from each other. */
  readonly exclude: readonly Range[]
  readonly options: PoolOptions
  readonly raw: { ranges: string[]; reserved: Record<string, string>; options: Record<string, string> }
}

/** @throws CnmError ERR_CNM_INVALID_ARGUMENT naming the field, ERR_CNM_UNKNOWN_OPTION */
export function parsePoolRequest(request: PoolRequest, defaults: PoolOptions): ParsedPoolRequest {
  const result = v.safeParse(fields, request)
  if (!result.success) throw refused(v.getDotPath(result.issues[0]) ?? 'request', result.issues[0].message)
  const { space, owner, family, ranges = [], reserved = {}, exclude = [], options = {} } = result.output
  const raw = { ranges, reserved, options }
  const common = { space, owner, family, exclude: parseExclude(exclude, family), options: parsePoolOptions(options, defaults), raw }
  const subnet = result.output.subnet === undefined ? undefined : parsePrefix(result.output.subnet, family, 'subnet')
  if (subnet !== undefined && subnet.start !== 0n) {
    requireUsable(subnet)
    parseRanges(ranges, subnet)
    parseReserved(reserved, subnet)
    if (common.options.eui64) requireEui64(subnet.family, subnet.length)
    return { ...common, subnet, length: undefined }
  }
  if (ranges.length > 0) throw refused('ranges', 'a range needs the subnet to be given')
  if (Object.keys(reserved).length > 0) throw refused('reserved', 'reserved addresses need the subnet to be given')
  if (common.options.eui64) requireEui64(family, subnet?.length ?? 64)
  return { ...common, subnet: undefined, length: subnet?.length }
}

/** Reserved addresses and their names. @throws CnmError ERR_CNM_INVALID_ARGUMENT */
export function parseReserved(reserved: Readonly<Record<string, string>>, subnet: Prefix): Map<bigint, string> {
  const found = new Map<bigint, string>()
  for (const [name, text] of Object.entries(reserved)) {
    const field = `reserved.${name}`
    const address = parseAddress(text, subnet.family, field)
    if (!contains(subnet, address)) throw refused(field, `${text} is not in the subnet ${formatPrefix(subnet)}`)
    const other = found.get(address)
    if (other !== undefined) throw refused(field, `${text} is reserved for ${other} already`)
    found.set(address, name)
  }
  return found
}

/** Id of a pool: the space and the subnet, and for a part of a subnet a digest of its ranges. */
export function poolId(space: string, subnet: Prefix, ranges: readonly string[]): string {
  const id = `${space}/${subnetName(subnet)}`
  if (ranges.length === 0) return id
  const canonical = parseRanges(ranges, subnet).map(({ first, last }) => `${first}-${last}`)
  return `${id}/${createHash('sha256').update(canonical.join()).digest('hex').slice(0, 12)}`
}

/** What the ids of all pools of one subnet begin with. */
export const subnetOfPool = (id: string): string => id.split('/', 2).join('/')

/** Undefined when nothing with this id can be a pool. */
export function spaceOfPool(id: string): string | undefined {
  const space = id.slice(0, id.indexOf('/'))
  return SPACE.test(space) ? space : undefined
}

/** Excluded prefixes of the family; those of the other are not its business. */
function parseExclude(texts: readonly string[], family: 4 | 6): Range[] {
  const ranges: Range[] = []
  for (const [index, text] of texts.entries()) {
    if (text.includes(':') !== (family === 6)) continue
    const prefix = parseNetworkOf(text, family, `exclude[${index}]`)
    ranges.push({ first: prefix.start, last: lastOf(prefix) })
  }
  return mergeRanges(ranges)
}

/** Subnets of which no address can be an interface's. */
const UNUSABLE: readonly [string, string][] = [
  ['127.0.0.0/8', 'loopback'],
  ['224.0.0.0/4', 'multicast'],
  ['ff00::/8', 'multicast'],
]

function requireUsable(subnet: Prefix): void {
  for (const [text, what] of UNUSABLE) {
    const family = text.includes(':') ? 6 : 4
    if (overlaps(subnet, parsePrefix(text, family, 'subnet')))
      throw refused('subnet', `${formatPrefix(subnet)} overlaps the ${what} addresses ${text}`)
  }
}

function requireEui64(family: 4 | 6, length: number): void {
  if (family !== 6 || length > 64) throw refused('options.eui64', 'addresses from the MAC need an IPv6 subnet of /64 or larger')
}
