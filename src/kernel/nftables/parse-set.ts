import type { FirewallSet, SetFlag, SetType } from '../../contracts/firewall.js'
import type { Place } from '../../contracts/kernel-objects.js'
import { attributeMap, text, u32be, u64be, u8 } from '../netlink/reader.js'
import { typeById } from './data-types.js'
import { readInstruction, readInstructions } from './instruction-reader.js'
import { dataType, layoutLength, MOST_BYTES, MOST_PARTS, partOf } from './key-layout.js'
import { familyName, HEADER, SET, SET_DESCRIPTION, SET_FLAG, VERDICT_TYPE } from './messages.js'
import { readTypeof } from './typeof-data.js'
import { readNumber, readText, readUserData, UDATA_COMMENT, UDATA_SET } from './userdata.js'

const ID_BITS = 6
const ID_MASK = 0x3f
const POLICY_MEMORY = 1
const MOST_INTEGER_BYTES = 16
const EMPTY = new Uint8Array()

export interface ParsedSet {
  set: FirewallSet
  /** It belongs to a rule. */
  anonymous: boolean
}

/**
 * `undefined` for broken bytes, and for sets that the vocabulary cannot describe: maps of stateful objects, keys that
 * are no numbers, addresses or names.
 */
export function parseSet(payload: Uint8Array, at: Place): ParsedSet | undefined {
  const family = familyName(u8(payload))
  const parts = attributeMap(payload, HEADER)
  const [table, name] = [parts.get(SET.table), parts.get(SET.name)]
  const number = (attribute: number): number => u32be(parts.get(attribute) ?? EMPTY)
  const flags = number(SET.flags)
  if (family === undefined || table === undefined || name === undefined || (flags & SET_FLAG.object) !== 0) return undefined
  const userData = readUserData(parts.get(SET.userdata))
  const key = parseTypes(number(SET.keyType), number(SET.keyLength), userData.get(UDATA_SET.keyTypeof))
  const dataInterval = readNumber(userData.get(UDATA_SET.dataInterval)) === 1
  const data = (flags & SET_FLAG.map) === 0 ? undefined : parseData(number(SET.dataType), number(SET.dataLength), dataInterval, userData)
  if (key === undefined || (data === undefined && (flags & SET_FLAG.map) !== 0)) return undefined
  const set: FirewallSet = { kind: 'nft-set', at, family, table: text(table), name: text(name), key, ...(data !== undefined && { data }) }
  Object.assign(set, setFlags(flags), dataInterval && data !== 'verdict' && { dataInterval }, parseLimits(parts))
  if (readNumber(userData.get(UDATA_SET.autoMerge)) === 1) set.autoMerge = true
  if (countsMatches(parts)) set.counter = true
  if (number(SET.policy) === POLICY_MEMORY) set.policy = 'memory'
  const comment = readText(userData.get(UDATA_COMMENT.set))
  if (comment !== undefined) set.comment = comment
  return { set, anonymous: (flags & SET_FLAG.anonymous) !== 0 }
}

function setFlags(flags: number): { flags?: SetFlag[] } {
  const names = (['constant', 'interval', 'timeout', 'dynamic'] as const).filter((name) => flags & SET_FLAG[name])
  return names.length === 0 ? {} : { flags: names }
}

function parseLimits(parts: Map<number, Uint8Array>): Partial<FirewallSet> {
  const limits: Partial<FirewallSet> = {}
  const size = attributeMap(parts.get(SET.description) ?? EMPTY).get(SET_DESCRIPTION.size)
  if (size !== undefined && u32be(size) !== 0) limits.size = u32be(size)
  const timeout = parts.get(SET.timeout)
  if (timeout !== undefined && u64be(timeout) !== 0n) limits.timeout = Number(u64be(timeout))
  const gcInterval = parts.get(SET.gcInterval)
  if (gcInterval !== undefined && u32be(gcInterval) !== 0) limits.gcInterval = u32be(gcInterval)
  return limits
}

function countsMatches(parts: Map<number, Uint8Array>): boolean {
  const single = parts.get(SET.expression)
  const several = readInstructions(parts.get(SET.expressions) ?? EMPTY)
  return [...(single === undefined ? [] : [readInstruction(single)]), ...several].some(({ name }) => name === 'counter')
}

function parseData(id: number, length: number, interval: boolean, userData: Map<number, Uint8Array>): SetType[] | 'verdict' | undefined {
  if (id === VERDICT_TYPE) return 'verdict'
  return parseTypes(id, interval ? length >> 1 : length, userData.get(UDATA_SET.dataTypeof))
}

/** The parts of a type number; those without a name by what nft noted, else as plain numbers. */
function parseTypes(id: number, length: number, declared: Uint8Array | undefined): SetType[] | undefined {
  const ids: number[] = []
  for (let rest = id; rest !== 0; rest >>>= ID_BITS) ids.unshift(rest & ID_MASK)
  const noted = readTypeof(declared, Math.max(ids.length, 1))
  const types = ids.map((part, i): SetType | undefined => noted[i] ?? (typeById(part)?.name as SetType | undefined))
  if (
    types.length > 0 &&
    types.length <= MOST_PARTS &&
    length <= MOST_BYTES &&
    types.every((type): type is SetType => type !== undefined)
  ) {
    if (layoutLength(types.map((type) => partOf(dataType(type, 'key')))) === length) return types
  }
  return length > 0 && length <= MOST_INTEGER_BYTES ? [{ integer: length * 8 }] : undefined
}
