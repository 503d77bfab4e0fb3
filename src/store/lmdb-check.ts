import { type FileHandle, open, readFile } from 'node:fs/promises'
import { endianness } from 'node:os'
import { setImmediate as nextTurn } from 'node:timers/promises'
import {
  FIRST_DATA_PAGE,
  freePages,
  META_BYTES,
  type Meta,
  type Node,
  PAGE_HEADER_BYTES,
  type Page,
  readMeta,
  readPage,
  type Tree,
  wrongHeader,
} from './lmdb-layout.js'
import { chooseMeta } from './lmdb-meta.js'
import { PageReader } from './lmdb-pages.js'
import { isIntact } from './lmdb-record.js'

/** What is wrong with a file. */
export class Damage extends Error {}

/** A file that changes this often while it is read is in use, and was checked by who opened it first. */
const ATTEMPTS = 5

/** In bytes. */
const LARGEST_PAGE = 65_536

/** Pages looked at between turns of the event loop: about a millisecond. */
const PAGES_PER_TURN = 32

/**
 * Reads the whole file with plain reads, before LMDB maps it: a page that is cut off would kill the process (SIGBUS),
 * a pointer that is wrong would too (SIGSEGV) or would hide records in silence, since LMDB checks nothing.
 * @throws Damage
 */
export async function checkFile(path: string): Promise<void> {
  // Elsewhere LMDB writes another layout; records have checksums there too.
  if (endianness() !== 'LE' || process.arch === 'arm' || process.arch === 'ia32') return
  const file = await open(path, 'r')
  try {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const head = await readHead(file)
      try {
        const meta = chooseMeta(readMetas(head), await bootId())
        return await new Check(new PageReader(file, meta.pageSize), meta).run()
      } catch (error) {
        const damage = asDamage(error)
        // Pages of a state are written over only after the next but one.
        if (damage === undefined || head.equals(await readHead(file))) throw damage ?? error
      }
    }
  } finally {
    await file.close()
  }
}

/** Numbers that make no sense can also ask for memory or bytes that there are not. */
function asDamage(error: unknown): Damage | undefined {
  if (error instanceof Damage) return error
  return error instanceof RangeError ? new Damage(`its numbers make no sense (${error.message})`, { cause: error }) : undefined
}

/** Where the states are. */
async function readHead(file: FileHandle): Promise<Buffer> {
  const bytes = Buffer.alloc(LARGEST_PAGE + META_BYTES)
  const { bytesRead } = await file.read(bytes, 0, bytes.length, 0)
  return bytes.subarray(0, bytesRead)
}

/** The last two states, and between them the last that was flushed. */
function readMetas(head: Buffer): Meta[] {
  const wrong = wrongHeader(head)
  if (wrong !== undefined) throw new Damage(wrong)
  const { pageSize } = readMeta(head)
  if (head.length < pageSize + META_BYTES) throw new Damage('it is shorter than its first two pages')
  const [even, flushed, odd] = [0, pageSize / 2, pageSize].map((at) => readMeta(head.subarray(at, at + META_BYTES)))
  const transactions = [even!, flushed!, odd!].map(({ transaction }) => transaction)
  // State N is on page N mod 2. A number that has changed would pass off an old state as the last one.
  const isTurn =
    even!.transaction % 2 === 0 &&
    (odd!.transaction % 2 === 1 || odd!.transaction === 0) &&
    Math.abs(even!.transaction - odd!.transaction) <= 1
  if (!isTurn || flushed!.transaction > Math.max(even!.transaction, odd!.transaction)) {
    throw new Damage(`the numbers of its states do not fit together: ${transactions.join(', ')}`)
  }
  // In the order in which LMDB compares them.
  return [even!, odd!, flushed!]
}

/** As LMDB reads it: the hexadecimal digits before the first dash; 0 when the kernel does not tell. */
async function bootId(): Promise<bigint> {
  const text = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '0')
  return BigInt(`0x${/^[0-9a-f]+/.exec(text)?.[0] ?? 0}`)
}

/** One walk through both trees of a state. */
class Check {
  readonly #pages: PageReader
  readonly #meta: Meta
  /** Pages that are used, by number. */
  readonly #used: Uint8Array
  #seen = 0

  constructor(pages: PageReader, meta: Meta) {
    this.#pages = pages
    this.#meta = meta
    if (meta.lastPage > 2 ** 32 || meta.lastPage < FIRST_DATA_PAGE - 1) throw new Damage(`its last page is said to be ${meta.lastPage}`)
    this.#used = new Uint8Array(meta.lastPage + 1)
  }

  async run(): Promise<void> {
    const { main, free } = this.#meta
    await this.#tree(main, compareBytes, (key, value) => {
      if (!isIntact(key, value)) throw new Damage(`the record ${JSON.stringify(key.toString())} does not match its checksum`)
    })
    const listed: { page: number; pages: number }[] = []
    await this.#tree(free, compareNumbers, (_key, value) => listed.push(...freePages(value)))
    for (const { page, pages } of listed) this.#use(page, pages, 'a free page')
  }

  async #tree(tree: Tree, compare: Compare, record: (key: Buffer, value: Buffer) => void): Promise<void> {
    const counted: Tree = { ...tree, branchPages: 0, leafPages: 0, overflowPages: 0, entries: 0 }
    if (tree.root !== undefined) await this.#subtree(tree.root, tree.depth, {}, counted, compare, record)
    for (const name of ['branchPages', 'leafPages', 'overflowPages', 'entries'] as const) {
      if (counted[name] !== tree[name]) throw new Damage(`a tree is said to have ${tree[name]} ${name}, and has ${counted[name]}`)
    }
  }

  async #subtree(
    number: number,
    depth: number,
    bounds: Bounds,
    counted: Tree,
    compare: Compare,
    record: (key: Buffer, value: Buffer) => void,
  ): Promise<void> {
    const page = await this.#page(number, depth > 1 ? 'branch' : 'leaf')
    this.#order(page, bounds, compare)
    if (page.kind === 'branch') {
      counted.branchPages++
      for (const [index, { key, child }] of page.nodes.entries()) {
        const from = index === 0 ? bounds.from : key
        await this.#subtree(child, depth - 1, { from, below: page.nodes[index + 1]?.key ?? bounds.below }, counted, compare, record)
      }
      return
    }
    counted.leafPages++
    counted.entries += page.nodes.length
    for (const node of page.nodes) {
      if (node.flags !== 0) throw new Damage(`page ${number} has a record of an unknown kind`)
      record(node.key, node.overflow === undefined ? node.value : await this.#large(node, node.overflow, counted))
    }
  }

  /** A value on pages of its own, which follow each other. */
  async #large({ valueBytes }: Node, { page: number, pages }: { page: number; pages: number }, counted: Tree): Promise<Buffer> {
    const page = await this.#page(number, 'overflow')
    // A shorter value may take the pages of the longer one before it.
    const needed = Math.ceil((PAGE_HEADER_BYTES + valueBytes) / this.#meta.pageSize)
    if (page.pages !== pages || pages < needed) {
      throw new Damage(`page ${number} begins a value of ${page.pages} pages, not ${pages} with room for ${needed}`)
    }
    this.#use(number + 1, pages - 1, 'a page')
    counted.overflowPages += pages
    return (await this.#read(number, pages)).subarray(PAGE_HEADER_BYTES, PAGE_HEADER_BYTES + valueBytes)
  }

  async #page(number: number, kind: Page['kind']): Promise<Page> {
    this.#use(number, 1, 'a page')
    if (++this.#seen % PAGES_PER_TURN === 0) await nextTurn()
    const page = readPage(await this.#read(number, 1))
    if (page === undefined || page.number !== number || page.kind !== kind) {
      throw new Damage(`page ${number} is not the ${kind} page it should be`)
    }
    return page
  }

  async #read(number: number, pages: number): Promise<Buffer> {
    const bytes = await this.#pages.read(number, pages)
    if (bytes === undefined) throw new Damage(`it ends before page ${number + pages - 1} of ${this.#meta.lastPage}`)
    return bytes
  }

  #use(first: number, pages: number, what: string): void {
    if (first < FIRST_DATA_PAGE || first + pages - 1 > this.#meta.lastPage) {
      throw new Damage(`${what} has the number ${first} of ${this.#meta.lastPage}`)
    }
    for (let number = first; number < first + pages; number++) {
      if (this.#used[number] === 1) throw new Damage(`page ${number} is used twice`)
      this.#used[number] = 1
    }
  }

  /** Keys must grow, and be those that the branches above lead to. */
  #order({ number, kind, nodes }: Page, { from, below }: Bounds, compare: Compare): void {
    for (const [index, { key }] of nodes.entries()) {
      // The first key of a branch is not kept.
      if (kind === 'branch' && index === 0) continue
      const before = nodes[index - 1]?.key
      const isFirst = index === 0 || (kind === 'branch' && index === 1)
      const grows = isFirst ? from === undefined || compare(key, from) >= 0 : compare(key, before!) > 0
      if (!grows || (below !== undefined && compare(key, below) >= 0)) throw new Damage(`keys of page ${number} are out of order`)
    }
  }
}

type Compare = (left: Buffer, right: Buffer) => number
const compareBytes: Compare = (left, right) => left.compare(right)
const compareNumbers: Compare = (left, right) => Number(left.readBigUInt64LE(0) - right.readBigUInt64LE(0))

/** Keys of a subtree: from one on, below another. */
interface Bounds {
  from?: Buffer
  below?: Buffer
}
