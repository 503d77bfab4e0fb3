import type { KeyPart } from '../../contracts/firewall-types.js'
import * as bits from './bytes.js'
import { CATCH_ALL, decodeExactKey, decodeRangeKey, type ElementKey } from './element-keys.js'
import type { KernelVerdict } from './kernel-expressions.js'
import { layoutLength, type KeyLayout } from './key-layout.js'

/** An element as the kernel keeps it. */
export interface KernelElement {
  /** Absent for the element that matches when no other does. */
  key?: Uint8Array
  keyEnd?: Uint8Array
  /** It only says where the range before it ends. */
  intervalEnd: boolean
  data?: Uint8Array | KernelVerdict
  comment?: string
  /** Milliseconds. */
  timeout?: bigint
  counter?: { packets: bigint; bytes: bigint }
}

/** The one or two elements that the kernel makes of one of ours. */
export function asKernelElements({ key, keyEnd, end, ...rest }: ElementKey & { data?: Uint8Array | KernelVerdict }): KernelElement[] {
  const element: KernelElement = { intervalEnd: false }
  if (key !== undefined) element.key = key
  if (keyEnd !== undefined) element.keyEnd = keyEnd
  if (rest.data !== undefined) element.data = rest.data
  return end === undefined ? [element] : [element, { key: end, intervalEnd: true }]
}

/** Keys in normal form, ordered by their bytes, each with the element that has its data. */
export function decodeElements(
  { parts, interval }: KeyLayout,
  elements: readonly KernelElement[],
): { key: KeyPart[]; element: KernelElement }[] {
  const rest = elements.filter(({ key }) => key === undefined).map((element) => ({ key: [CATCH_ALL], element }))
  const keyed = elements.filter((element): element is KernelElement & { key: Uint8Array } => element.key !== undefined).sort(byKey)
  if (!interval) return [...keyed.map((element) => ({ key: decodeExactKey(parts, element.key), element })), ...rest]
  const ranges =
    parts.length > 1
      ? keyed.map((element) => ({ low: element.key, high: element.keyEnd ?? element.key, element }))
      : pairs(keyed, layoutLength(parts))
  return [...ranges.map(({ low, high, element }) => ({ key: decodeRangeKey(parts, low, high), element })), ...rest]
}

type Keyed = KernelElement & { key: Uint8Array }

/** The end of one range comes before the start of the next at the same key. */
const byKey = (a: Keyed, b: Keyed): number => bits.compareBytes(a.key, b.key) || Number(b.intervalEnd) - Number(a.intervalEnd)

/** Ranges from starts and ends. A start without an end reaches to the next start, the last one to the maximum. */
function pairs(sorted: readonly Keyed[], length: number): { low: Uint8Array; high: Uint8Array; element: KernelElement }[] {
  const ranges: { low: Uint8Array; high: Uint8Array; element: KernelElement }[] = []
  let open: Keyed | undefined
  for (const element of sorted) {
    if (open !== undefined) ranges.push({ low: open.key, high: bits.predecessor(element.key), element: open })
    open = element.intervalEnd ? undefined : element
  }
  if (open !== undefined) ranges.push({ low: open.key, high: bits.not(new Uint8Array(length)), element: open })
  return ranges
}
