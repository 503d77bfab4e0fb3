import type { FirewallElement, FirewallSet, SetShape } from '../../contracts/firewall.js'
import { attributeMap, attributes, u32be, u64be } from '../netlink/reader.js'
import { decodeData, decodeDataRange } from './element-keys.js'
import { shapeLayout, type ShapeLayout } from './encode-elements.js'
import { readData, readInstruction, readInstructions } from './instruction-reader.js'
import { decodeElements, type KernelElement } from './kernel-elements.js'
import { ELEMENT, ELEMENT_FLAG, ELEMENT_LIST, HEADER } from './messages.js'
import { readText, readUserData, UDATA_COMMENT } from './userdata.js'
import { decodeVerdict } from './verdicts.js'

const EMPTY = new Uint8Array()

/** The elements in one message of a dump. */
export function parseElements(payload: Uint8Array): KernelElement[] {
  const list = attributeMap(payload, HEADER).get(ELEMENT_LIST.elements)
  return [...attributes(list ?? EMPTY)].map(({ value }) => parseElement(value))
}

function parseElement(bytes: Uint8Array): KernelElement {
  const parts = attributeMap(bytes)
  const flags = u32be(parts.get(ELEMENT.flags) ?? EMPTY)
  const element: KernelElement = { intervalEnd: (flags & ELEMENT_FLAG.intervalEnd) !== 0 }
  const key = readData(parts.get(ELEMENT.key) ?? EMPTY)
  const keyEnd = readData(parts.get(ELEMENT.keyEnd) ?? EMPTY)
  const data = parts.get(ELEMENT.data)
  const timeout = parts.get(ELEMENT.timeout)
  const comment = readText(readUserData(parts.get(ELEMENT.userdata)).get(UDATA_COMMENT.element))
  if (key instanceof Uint8Array && (flags & ELEMENT_FLAG.catchAll) === 0) element.key = key
  if (keyEnd instanceof Uint8Array) element.keyEnd = keyEnd
  if (data !== undefined) element.data = readData(data)
  if (timeout !== undefined) element.timeout = u64be(timeout)
  if (comment !== undefined) element.comment = comment
  const counter = parseCounter(parts)
  if (counter !== undefined) element.counter = counter
  return element
}

function parseCounter(parts: Map<number, Uint8Array>): KernelElement['counter'] {
  const single = parts.get(ELEMENT.expression)
  const several = readInstructions(parts.get(ELEMENT.expressions) ?? EMPTY)
  for (const instruction of [...(single === undefined ? [] : [readInstruction(single)]), ...several]) {
    if (instruction.name === 'counter') return { packets: instruction.packets ?? 0n, bytes: instruction.bytes ?? 0n }
  }
  return undefined
}

export const shapeOf = ({ name, key, data, flags, dataInterval }: FirewallSet): SetShape => ({
  name,
  key,
  ...(data !== undefined && { data }),
  ...(flags !== undefined && { flags }),
  ...(dataInterval !== undefined && { dataInterval }),
})

/** Elements of a set in normal form, ordered by key; with `counters`, also what each has counted. */
export function firewallElements(
  set: FirewallSet,
  elements: readonly KernelElement[],
): { element: FirewallElement; counter: KernelElement['counter'] }[] {
  const shape = shapeOf(set)
  const layout = shapeLayout(shape)
  const { at, family, table } = set
  return decodeElements(layout.key, elements).map(({ key, element: from }) => {
    const element: FirewallElement = { kind: 'nft-element', at, family, table, set: shape, key, ...decodedData(layout, from) }
    if (from.comment !== undefined) element.comment = from.comment
    if (from.timeout !== undefined && from.timeout !== 0n && Number(from.timeout) !== set.timeout) element.timeout = Number(from.timeout)
    return { element, counter: from.counter }
  })
}

function decodedData({ data, dataInterval }: ShapeLayout, { data: value }: KernelElement): Pick<FirewallElement, 'data' | 'verdict'> {
  if (data === undefined || value === undefined) return {}
  if (data === 'verdict') {
    const verdict = value instanceof Uint8Array ? undefined : decodeVerdict(value)
    return verdict === undefined ? {} : { verdict }
  }
  if (!(value instanceof Uint8Array)) return {}
  return { data: dataInterval ? (decodeDataRange(data, value) as FirewallElement['data']) : decodeData(data, value) }
}
