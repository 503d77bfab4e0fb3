import { contains, formatPrefix, lastOf, parseAddress, parsePrefix, type Prefix, type Range, refused } from './prefix.js'

/**
 * Ranges of a subnet in address order, without overlaps; the whole subnet when none is given. Each is a prefix
 * (`10.0.0.128/25`), `first-last`, or a single address.
 * @throws CnmError ERR_CNM_INVALID_ARGUMENT
 */
export function parseRanges(texts: readonly string[], subnet: Prefix): Range[] {
  if (texts.length === 0) return [{ first: subnet.start, last: lastOf(subnet) }]
  const ranges = texts.map((text, index) => parseRange(text, subnet, `ranges[${index}]`))
  return mergeRanges(ranges)
}

/** The same addresses in order and without overlaps. */
export function mergeRanges(ranges: readonly Range[]): Range[] {
  const merged: Range[] = []
  for (const range of [...ranges].sort((left, right) => (left.first < right.first ? -1 : 1))) {
    const before = merged.at(-1)
    if (before === undefined || range.first > before.last + 1n) merged.push(range)
    else if (range.last > before.last) merged[merged.length - 1] = { first: before.first, last: range.last }
  }
  return merged
}

function parseRange(text: string, subnet: Prefix, field: string): Range {
  const range = readRange(text, subnet, field)
  if (range.first > range.last) throw refused(field, `${text} ends before it begins`)
  if (!contains(subnet, range.first) || !contains(subnet, range.last)) {
    throw refused(field, `${text} is not inside of the subnet ${formatPrefix(subnet)}`)
  }
  return range
}

function readRange(text: string, { family }: Prefix, field: string): Range {
  if (typeof text !== 'string') throw refused(field, `expected text, got ${typeof text}`)
  if (text.includes('/')) {
    const prefix = parsePrefix(text, family, field)
    return { first: prefix.start, last: lastOf(prefix) }
  }
  const [first, last, ...more] = text.split('-')
  if (more.length > 0) throw refused(field, `${text} is not a range`)
  return { first: parseAddress(first!, family, field), last: parseAddress(last ?? first!, family, field) }
}
