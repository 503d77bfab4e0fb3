import type { FirewallElement, FirewallFamily, SetShape } from '../../contracts/firewall.js'
import type { KeyPart, Scalar } from '../../contracts/firewall-types.js'
import { NLA_F_NESTED, NLM_F_CREATE, NLM_F_EXCL, type MessageWriter } from '../netlink/writer.js'
import { encodeData, encodeDataRange, encodeKey, type ElementKey } from './element-keys.js'
import { writeData } from './instruction-writer.js'
import type { KernelVerdict } from './kernel-expressions.js'
import { dataTypes, keyLayout, partOf, type KeyLayout, type Part } from './key-layout.js'
import { beginMessage, ELEMENT, ELEMENT_FLAG, ELEMENT_LIST, LIST_ELEM, NEWSETELEM } from './messages.js'
import { checkComment, checkName } from './names.js'
import { onlyKeys, refusal, wholeNumber } from './refusal.js'
import { concatBytes } from './bytes.js'
import { commentData, INTERVAL_OPEN, UDATA_COMMENT, UDATA_ELEMENT_FLAGS, UserData } from './userdata.js'
import { encodeVerdict } from './verdicts.js'

const KEYS = ['kind', 'at', 'family', 'table', 'set', 'key', 'data', 'verdict', 'comment', 'timeout']
const SHAPE_KEYS = [
  'name',
  'key',
  'data',
  'flags',
  'dataInterval', // of a shape; the rest, so that a whole set can be given as one
  'kind',
  'at',
  'family',
  'table',
  'size',
  'timeout',
  'gcInterval',
  'autoMerge',
  'counter',
  'policy',
  'comment',
]
/** A list of elements is one attribute, whose length has 16 bits. */
const MOST_BYTES = 0xffff - 1024

export interface EncodedElement extends ElementKey {
  data?: Uint8Array | KernelVerdict
  comment?: string
  timeout?: bigint
}

export interface ElementList {
  family: FirewallFamily
  table: string
  /** Name of the set. */
  set: string
  /** Number of a set of the same batch that has no name yet. */
  setId?: number
}

/** How the keys and data of a set are laid out, worked out once for many elements. */
export interface ShapeLayout {
  key: KeyLayout
  data?: Part[] | 'verdict'
  dataInterval: boolean
}

export function shapeLayout(shape: SetShape): ShapeLayout {
  onlyKeys(shape, SHAPE_KEYS, 'set')
  const key = keyLayout(shape)
  const dataInterval = shape.dataInterval === true
  if (shape.data === undefined) return { key, dataInterval }
  return { key, dataInterval, data: shape.data === 'verdict' ? 'verdict' : dataTypes(shape.data, 'data').map(partOf) }
}

export function encodeElement(element: FirewallElement, layout: ShapeLayout): EncodedElement {
  onlyKeys(element, KEYS, 'element')
  const encoded: EncodedElement = encodeKey(layout.key, element.key, 'key')
  encoded.data = elementData(element, layout)
  encoded.comment = checkComment(element.comment, 'comment')
  if (element.timeout !== undefined) encoded.timeout = BigInt(wholeNumber(element.timeout, Number.MAX_SAFE_INTEGER, 'timeout'))
  return encoded
}

function elementData(element: FirewallElement, { data, dataInterval }: ShapeLayout): Uint8Array | KernelVerdict | undefined {
  if (data === 'verdict') {
    if (element.data !== undefined || element.verdict === undefined) throw refusal('verdict', 'is what a verdict map has instead of data')
    return encodeVerdict(element.verdict, 'verdict')
  }
  if (element.verdict !== undefined) throw refusal('verdict', 'is only for verdict maps')
  if (data === undefined) {
    if (element.data !== undefined) throw refusal('data', 'is only for maps')
    return undefined
  }
  const values: readonly (Scalar | KeyPart)[] = element.data ?? []
  return dataInterval ? encodeDataRange(data, values, 'data') : encodeData(data, values as Scalar[], 'data')
}

/**
 * `nft add element`: as many messages as the elements need, which is one for about a thousand.
 * @param exclusive The elements must not exist; otherwise those with the same data may.
 */
export function encodeElements(writer: MessageWriter, set: SetShape, elements: readonly FirewallElement[], exclusive = true): void {
  const [first] = elements
  if (first === undefined) return
  const layout = shapeLayout(set)
  const encoded = elements.map((element) => encodeElement(element, layout))
  writeElements(writer, NEWSETELEM, NLM_F_CREATE | (exclusive ? NLM_F_EXCL : 0), listOf(first), encoded)
}

export const listOf = ({ family, table, set }: FirewallElement): ElementList => ({
  family,
  table: checkName(table, 'table'),
  set: checkName(set.name, 'set.name'),
})

export function writeElements(
  writer: MessageWriter,
  type: number,
  flags: number,
  list: ElementList,
  elements: readonly EncodedElement[],
): void {
  for (let next = 0; next < elements.length;) {
    beginMessage(writer, type, flags, list.family).attrString(ELEMENT_LIST.table, list.table).attrString(ELEMENT_LIST.set, list.set)
    if (list.setId !== undefined) writer.attrU32be(ELEMENT_LIST.setId, list.setId)
    const before = writer.length
    const start = writer.nestBegin(ELEMENT_LIST.elements | NLA_F_NESTED)
    while (next < elements.length && writer.length - before < MOST_BYTES) writeElement(writer, elements[next++]!)
    writer.nestEnd(start).end()
  }
}

/** One element, or the two that the kernel keeps for a range. */
export function writeElement(writer: MessageWriter, element: EncodedElement): void {
  const start = writer.nestBegin(LIST_ELEM | NLA_F_NESTED)
  if (element.key === undefined) writer.attrU32be(ELEMENT.flags, ELEMENT_FLAG.catchAll)
  else writeData(writer, ELEMENT.key, element.key)
  if (element.keyEnd !== undefined) writeData(writer, ELEMENT.keyEnd, element.keyEnd)
  if (element.data !== undefined) writeData(writer, ELEMENT.data, element.data)
  if (element.timeout !== undefined) writer.attrU64be(ELEMENT.timeout, element.timeout)
  const comment = commentData(UDATA_COMMENT.element, element.comment)
  if (element.openEnd === true) {
    const flags = new UserData().u32(UDATA_ELEMENT_FLAGS, INTERVAL_OPEN).bytes()
    writer.attrBytes(ELEMENT.userdata, comment === undefined ? flags : concatBytes([comment, flags]))
  } else if (comment !== undefined) writer.attrBytes(ELEMENT.userdata, comment)
  writer.nestEnd(start)
  if (element.end !== undefined) writeEnd(writer, element.end)
}

function writeEnd(writer: MessageWriter, end: Uint8Array): void {
  const start = writer.nestBegin(LIST_ELEM | NLA_F_NESTED)
  writer.attrU32be(ELEMENT.flags, ELEMENT_FLAG.intervalEnd)
  writeData(writer, ELEMENT.key, end)
  writer.nestEnd(start)
}
