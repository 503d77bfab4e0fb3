/**
 * The file format of LMDB as lmdb-js 3 writes it on little-endian 64-bit machines (struct MDB_meta, MDB_page, MDB_node
 * in its mdb.c). All numbers are read as doubles: a file has far fewer than 2^53 pages.
 */
export const PAGE_HEADER_BYTES = 24
export const META_BYTES = 168
/** Pages 0 and 1 hold the two last states; the second half of page 0 holds the last one that was flushed. */
export const FIRST_DATA_PAGE = 2
const MAGIC = 0xbeefc0de
const DATA_VERSION = 2
const NO_ROOT = 0xffff_ffff_ffff_ffffn

const enum PageFlag {
  Branch = 1,
  Leaf = 2,
  Overflow = 4,
  Meta = 8,
}

/** Set in the flags of the free-page tree while a state has not been flushed. */
const UNFLUSHED = 0x1000

export interface Tree {
  depth: number
  branchPages: number
  leafPages: number
  overflowPages: number
  entries: number
  root: number | undefined
}

/** One state of the database. */
export interface Meta {
  pageSize: number
  free: Tree
  main: Tree
  lastPage: number
  transaction: number
  bootId: bigint
  unflushed: boolean
}

/** Says what is wrong with the first page, or undefined. */
export function wrongHeader(bytes: Buffer): string | undefined {
  if (bytes.length < META_BYTES) return 'it is shorter than its first page'
  if ((bytes.readUInt16LE(18) & PageFlag.Meta) === 0 || bytes.readUInt32LE(24) !== MAGIC) return 'it does not begin as an LMDB file does'
  if (bytes.readUInt32LE(28) !== DATA_VERSION) return `it has version ${bytes.readUInt32LE(28)} of the LMDB format, not ${DATA_VERSION}`
  const { pageSize } = readMeta(bytes)
  if (pageSize < 512 || pageSize > 65_536 || (pageSize & (pageSize - 1)) !== 0) return `its page size is ${pageSize}`
  return undefined
}

/** @param bytes from the beginning of the page or half page that holds the state */
export function readMeta(bytes: Buffer): Meta {
  return {
    pageSize: bytes.readUInt32LE(48),
    unflushed: (bytes.readUInt16LE(52) & UNFLUSHED) !== 0,
    free: readTree(bytes.subarray(48)),
    main: readTree(bytes.subarray(96)),
    lastPage: readNumber(bytes, 144),
    transaction: readNumber(bytes, 152),
    bootId: bytes.readBigInt64LE(160),
  }
}

function readTree(bytes: Buffer): Tree {
  return {
    depth: bytes.readUInt16LE(6),
    branchPages: readNumber(bytes, 8),
    leafPages: readNumber(bytes, 16),
    overflowPages: readNumber(bytes, 24),
    entries: readNumber(bytes, 32),
    root: bytes.readBigUInt64LE(40) === NO_ROOT ? undefined : readNumber(bytes, 40),
  }
}

export interface Page {
  number: number
  kind: 'branch' | 'leaf' | 'overflow' | 'unknown'
  /** Nodes of a branch or leaf. */
  nodes: Node[]
  /** Length in pages, of the first page of a large value. */
  pages: number
}

export interface Node {
  key: Buffer
  /** Of a branch: the page below. */
  child: number
  /** Of a leaf: the value, unless it is on pages of its own. */
  value: Buffer
  valueBytes: number
  overflow: { page: number; pages: number } | undefined
  flags: number
}

/** @returns undefined when the page does not hold together */
export function readPage(bytes: Buffer): Page | undefined {
  const flags = bytes.readUInt16LE(18)
  const page: Page = { number: readNumber(bytes, 0), kind: KINDS.get(flags) ?? 'unknown', nodes: [], pages: 0 }
  if (page.kind === 'overflow') page.pages = bytes.readUInt32LE(20)
  if (page.kind !== 'branch' && page.kind !== 'leaf') return page
  const [lower, upper] = [bytes.readUInt16LE(20), bytes.readUInt16LE(22)]
  if (lower % 2 !== 0 || lower > upper || upper > bytes.length - PAGE_HEADER_BYTES) return undefined
  for (let at = PAGE_HEADER_BYTES; at < PAGE_HEADER_BYTES + lower; at += 2) {
    const offset = bytes.readUInt16LE(at)
    const node = offset < upper ? undefined : readNode(bytes.subarray(PAGE_HEADER_BYTES + offset), page.kind)
    if (node === undefined) return undefined
    page.nodes.push(node)
  }
  return page
}

const KINDS = new Map<number, Page['kind']>([
  [PageFlag.Branch, 'branch'],
  [PageFlag.Leaf, 'leaf'],
  [PageFlag.Overflow, 'overflow'],
])

const NODE_HEADER_BYTES = 8
const ON_OVERFLOW_PAGES = 1

function readNode(bytes: Buffer, kind: 'branch' | 'leaf'): Node | undefined {
  if (bytes.length < NODE_HEADER_BYTES) return undefined
  const [low, flags, keyBytes] = [bytes.readUInt32LE(0), bytes.readUInt16LE(4), bytes.readUInt16LE(6)]
  const valueAt = NODE_HEADER_BYTES + keyBytes
  if (bytes.length < valueAt) return undefined
  const node: Node = {
    key: bytes.subarray(NODE_HEADER_BYTES, valueAt),
    child: 0,
    value: bytes.subarray(0, 0),
    valueBytes: 0,
    overflow: undefined,
    flags: 0,
  }
  if (kind === 'branch') return { ...node, child: low + flags * 2 ** 32 }
  const isLarge = (flags & ON_OVERFLOW_PAGES) !== 0
  if (bytes.length < valueAt + (isLarge ? 24 : low)) return undefined
  if (!isLarge) return { ...node, flags, valueBytes: low, value: bytes.subarray(valueAt, valueAt + low) }
  return {
    ...node,
    flags: flags & ~ON_OVERFLOW_PAGES,
    valueBytes: low,
    overflow: { page: readNumber(bytes, valueAt), pages: readNumber(bytes, valueAt + 16) },
  }
}

/** A number above 2^53 is no number of pages: it comes out as one that fits nowhere. */
export const readNumber = (bytes: Buffer, at: number): number => bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32

/**
 * Pages in a value of the free-page tree: a count of words, then page numbers; a negative word says how many pages the
 * next one begins, zero says nothing.
 */
export function* freePages(value: Buffer): Generator<{ page: number; pages: number }> {
  const words = value.length >= 8 ? readNumber(value, 0) : 0
  let pages = 1
  for (let at = 8; at <= words * 8 && at + 8 <= value.length; at += 8) {
    const word = value.readBigInt64LE(at)
    if (word < 0n) pages = Number(-word)
    else if (word > 0n) {
      yield { page: Number(word), pages }
      pages = 1
    }
  }
}
