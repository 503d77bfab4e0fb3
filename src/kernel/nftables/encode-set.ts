import type { FirewallFamily, FirewallSet, SetFlag } from '../../contracts/firewall.js'
import { NLM_F_CREATE, NLM_F_EXCL, type MessageWriter } from '../netlink/writer.js'
import { writeInstruction } from './instruction-writer.js'
import { dataTypes, layoutLength, partOf, type Part } from './key-layout.js'
import { beginMessage, DELSET, LIST_ELEM, NEWSET, SET, SET_DESCRIPTION, SET_FLAG, VERDICT_TYPE } from './messages.js'
import { checkComment, checkName } from './names.js'
import { ANONYMOUS_MAP, ANONYMOUS_SET } from './compile-lookup.js'
import type { AnonymousSet } from './program.js'
import { onlyKeys, refusal, wholeNumber } from './refusal.js'
import { typeofData } from './typeof-data.js'
import { UDATA_COMMENT, UDATA_SET, UserData } from './userdata.js'

const FIELD_LENGTH = 1
const ID_BITS = 6
const POLICY_MEMORY = 1
const FLAGS: Readonly<Record<SetFlag, number>> = {
  constant: SET_FLAG.constant,
  interval: SET_FLAG.interval,
  timeout: SET_FLAG.timeout,
  dynamic: SET_FLAG.dynamic,
}
const KEYS = [
  'kind',
  'at',
  'family',
  'table',
  'name',
  'key',
  'data',
  'flags',
  'dataInterval',
  'size',
  'timeout',
  'gcInterval',
  'autoMerge',
  'counter',
  'policy',
  'comment',
]

/** What NFT_MSG_NEWSET says of a set, whether it has a name or belongs to a rule. */
interface Declaration {
  name: string
  id: number
  flags: number
  key: Part[]
  data?: Part[] | 'verdict'
  dataInterval?: boolean
  size?: number
  userData?: Uint8Array
}

/** `nft add set`. @param exclusive The set must not exist; otherwise one of the same types may. */
export function encodeSet(writer: MessageWriter, set: FirewallSet, exclusive: boolean): void {
  onlyKeys(set, KEYS, 'set')
  const key = dataTypes(set.key, 'key').map(partOf)
  const data = set.data === undefined || set.data === 'verdict' ? set.data : dataTypes(set.data, 'data').map(partOf)
  if (set.dataInterval === true && (data === undefined || data === 'verdict')) throw refusal('dataInterval', 'is for maps')
  const size = set.size === undefined ? {} : { size: wholeNumber(set.size, 0xffffffff, 'size') }
  const declaration: Declaration = {
    name: checkName(set.name, 'name'),
    id: writer.nextSequence,
    flags: setFlags(set),
    key,
    ...(data !== undefined && { data }),
    ...(set.dataInterval === true && { dataInterval: true }),
    ...size,
    userData: setUserData(set, key, data),
  }
  const timeout = set.timeout === undefined ? undefined : wholeNumber(set.timeout, Number.MAX_SAFE_INTEGER, 'timeout')
  const gcInterval = set.gcInterval === undefined ? undefined : wholeNumber(set.gcInterval, 0xffffffff, 'gcInterval')
  if (set.policy !== undefined && set.policy !== 'performance' && set.policy !== 'memory')
    throw refusal('policy', 'must be performance or memory')
  beginMessage(writer, NEWSET, NLM_F_CREATE | (exclusive ? NLM_F_EXCL : 0), set.family)
  declare(writer, checkName(set.table, 'table'), declaration)
  if (set.policy === 'memory') writer.attrU32be(SET.policy, POLICY_MEMORY)
  if (timeout !== undefined) writer.attrU64be(SET.timeout, BigInt(timeout))
  if (gcInterval !== undefined) writer.attrU32be(SET.gcInterval, gcInterval)
  if (set.counter === true) writer.nest(SET.expression, () => writeInstruction(writer, { name: 'counter', bytes: 0n, packets: 0n }))
  writer.end()
}

export function encodeSetRemoval(writer: MessageWriter, set: FirewallSet): void {
  beginMessage(writer, DELSET, 0, set.family)
    .attrString(SET.table, checkName(set.table, 'table'))
    .attrString(SET.name, checkName(set.name, 'name'))
    .end()
}

/** A set of one rule. @param id by which the rule of the same batch refers to it */
export function encodeAnonymousSet(writer: MessageWriter, family: FirewallFamily, table: string, set: AnonymousSet, id: number): void {
  const flags =
    SET_FLAG.anonymous | SET_FLAG.constant | (set.interval ? SET_FLAG.interval : 0) | (set.data === undefined ? 0 : SET_FLAG.map)
  beginMessage(writer, NEWSET, NLM_F_CREATE, family)
  declare(writer, table, {
    name: set.data === undefined ? ANONYMOUS_SET : ANONYMOUS_MAP,
    id,
    flags: flags | concatFlag(set.interval, set.key),
    key: set.key,
    ...(set.data !== undefined && { data: set.data }),
    userData: byteOrders(set.key, set.data).bytes(),
  })
  writer.end()
}

function setFlags(set: FirewallSet): number {
  let flags = set.data === undefined ? 0 : SET_FLAG.map
  for (const flag of set.flags ?? []) {
    if (!Object.hasOwn(FLAGS, flag)) throw refusal('flags', `there is no flag ${JSON.stringify(flag)}`)
    flags |= FLAGS[flag]
  }
  if (set.timeout !== undefined) flags |= SET_FLAG.timeout
  return flags | concatFlag((flags & SET_FLAG.interval) !== 0, set.key)
}

/** Ranges of concatenated keys are another kind of set, whose parts the kernel must know. */
const concatFlag = (interval: boolean, key: readonly unknown[]): number => (interval && key.length > 1 ? SET_FLAG.concat : 0)

function declare(writer: MessageWriter, table: string, { name, id, flags, key, data, dataInterval, size, userData }: Declaration): void {
  writer
    .attrString(SET.table, table)
    .attrString(SET.name, name)
    .attrU32be(SET.flags, flags)
    .attrU32be(SET.keyType, typeNumber(key))
    .attrU32be(SET.keyLength, layoutLength(key))
    .attrU32be(SET.id, id)
  if (data === 'verdict') writer.attrU32be(SET.dataType, VERDICT_TYPE).attrU32be(SET.dataLength, 0)
  else if (data !== undefined) {
    const length = layoutLength(data)
    writer
      .attrU32be(SET.dataType, typeNumber(data))
      .attrU32be(SET.dataLength, dataInterval === true ? ((length + 3) & ~3) + length : length)
  }
  const described = (flags & SET_FLAG.concat) !== 0
  if (size !== undefined || described) {
    writer.nest(SET.description, () => {
      if (size !== undefined) writer.attrU32be(SET_DESCRIPTION.size, size)
      if (described) writer.nest(SET_DESCRIPTION.concat, () => writeFieldLengths(writer, key))
    })
  }
  if (userData !== undefined) writer.attrBytes(SET.userdata, userData)
}

function writeFieldLengths(writer: MessageWriter, key: readonly Part[]): void {
  for (const { length } of key) writer.nest(LIST_ELEM, () => writer.attrU32be(FIELD_LENGTH, length))
}

/** nft's number of a type; those of a concatenation follow each other. */
const typeNumber = (parts: readonly Part[]): number => parts.reduce((number, { type }) => ((number << ID_BITS) | type.id) >>> 0, 0)

function setUserData(set: FirewallSet, key: Part[], data: Part[] | 'verdict' | undefined): Uint8Array {
  const userData = byteOrders(key, data)
  if (set.autoMerge === true) userData.u32(UDATA_SET.autoMerge, 1)
  const declared = typeofData(set.key, set.data)
  userData.nested(UDATA_SET.keyTypeof, declared?.key).nested(UDATA_SET.dataTypeof, declared?.data)
  if (set.dataInterval === true) userData.u32(UDATA_SET.dataInterval, 1)
  return userData.text(UDATA_COMMENT.set, checkComment(set.comment, 'comment')).bytes()
}

/** nft's enum byteorder: 0 unknown (concatenations), 1 host, 2 network order */
function byteOrders(key: Part[], data: Part[] | 'verdict' | undefined): UserData {
  const userData = new UserData().u32(UDATA_SET.keyByteOrder, byteOrder(key))
  return data === undefined || data === 'verdict' ? userData : userData.u32(UDATA_SET.dataByteOrder, byteOrder(data))
}

function byteOrder(parts: Part[]): number {
  const [only] = parts
  return parts.length !== 1 || only === undefined ? 0 : only.type.order === 'host' ? 1 : 2
}
