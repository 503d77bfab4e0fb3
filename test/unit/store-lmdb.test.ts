import { chmod, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Store, StoreEntry } from '../../src/contracts/store.js'
import { lmdb } from '../../src/store/lmdb.js'

let root: string
let directory: string
let data: string
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'lmdb-'))
  directory = join(root, 'state', 'store')
  data = join(directory, 'data.mdb')
})
afterEach(() => rm(root, { recursive: true }))

/** Something of everything: deep trees, large values, deletions, free pages. */
async function fill(store: Store): Promise<void> {
  for (let round = 0; round < 12; round++) {
    const changes = Array.from({ length: 120 }, (_, index) => ({
      put: `key/${(index * 7 + round * 31) % 500}`,
      value: { round, text: 'v'.repeat((index * 37) % 900) },
    }))
    await store.commit(changes)
    await store.commit([
      { put: `large/${round}`, value: 'l'.repeat(20_000 + round) },
      ...(round > 2 ? [{ delete: `large/${round - 2}` }] : []),
    ])
  }
}

async function filled(): Promise<StoreEntry[]> {
  const store = await lmdb({ directory })
  await fill(store)
  const entries = await store.list('')
  await store.close()
  return entries
}

const mode = async (path: string): Promise<string> => ((await stat(path)).mode & 0o777).toString(8)

describe('the files', () => {
  it('are private, whatever the umask, and made private again', async () => {
    const umask = process.umask(0)
    try {
      await (await lmdb({ directory })).close()
      expect([await mode(join(root, 'state')), await mode(directory)]).toEqual(['700', '700'])
      expect((await readdir(directory)).sort()).toEqual(['data.mdb', 'data.mdb-lock'])
      for (const name of await readdir(directory)) expect(await mode(join(directory, name))).toBe('600')
      await chmod(data, 0o644)
      await (await lmdb({ directory })).close()
      expect(await mode(data)).toBe('600')
    } finally {
      process.umask(umask)
    }
  })

  it('stay locked for other processes when one opens them twice, and closes them once', async () => {
    const locks = async (): Promise<number> => {
      const { ino } = await stat(`${data}-lock`)
      return (await readFile('/proc/locks', 'utf8'))
        .split('\n')
        .filter((line) => line.includes(` ${process.pid} `) && line.includes(`:${ino} `)).length
    }
    const first = await lmdb({ directory })
    const held = await locks()
    expect(held).toBeGreaterThan(0)
    const second = await lmdb({ directory })
    expect(await locks()).toBe(held)
    await first.close()
    expect(await locks()).toBe(held)
    await second.close()
    expect(await locks()).toBe(0)
  })

  it('of a maker that was killed are removed, those of one that lives are not', async () => {
    await (await lmdb({ directory })).close()
    await writeFile(join(directory, 'new-4194999-abc.mdb'), '')
    await writeFile(join(directory, 'new-4194999-abc.mdb-lock'), '')
    await writeFile(join(directory, `new-${process.ppid}-abc.mdb`), '')
    await (await lmdb({ directory })).close()
    expect((await readdir(directory)).sort()).toEqual(['data.mdb', 'data.mdb-lock', `new-${process.ppid}-abc.mdb`])
  })

  it('are made once when several open at once, and shared', async () => {
    const stores = await Promise.all(Array.from({ length: 5 }, () => lmdb({ directory })))
    await stores[0]!.commit([{ put: 'k', value: 1 }])
    expect((await stores[4]!.get('k'))?.value).toBe(1)
    await stores[0]!.close()
    await stores[4]!.commit([{ put: 'k', value: 2 }])
    expect((await stores[1]!.get('k'))?.value).toBe(2)
    await Promise.all(stores.map((store) => store.close()))
    expect((await readdir(directory)).sort()).toEqual(['data.mdb', 'data.mdb-lock'])
  })

  it.each(['relative/path', '', undefined, 7])('need an absolute directory, not %s', async (bad) => {
    await expect(lmdb({ directory: bad as string })).rejects.toMatchObject({ code: 'ERR_CNM_INVALID_ARGUMENT', field: 'directory' })
  })

  it('cannot be where there is a file', async () => {
    await writeFile(join(root, 'state'), '')
    await expect(lmdb({ directory })).rejects.toMatchObject({ code: 'ERR_CNM_STORE', errnoName: 'ENOTDIR' })
  })
})

describe('a damaged file', () => {
  it('is refused with a way out, and is left as it is', async () => {
    await filled()
    await truncate(data, 30_000)
    const before = await readFile(data)
    const failure = lmdb({ directory })
    await expect(failure).rejects.toMatchObject({ code: 'ERR_CNM_STORE_CORRUPT', object: directory })
    await expect(failure).rejects.toThrow(/it ends before page \d+ .*Put back a copy .* move the directory away/)
    expect((await readFile(data)).equals(before)).toBe(true)
  })

  it.each([
    ['empty', () => Buffer.alloc(0)],
    ['text', () => Buffer.from('not a database\n'.repeat(9000))],
    ['zeros', () => Buffer.alloc(100_000)],
    ['only the first page', (good: Buffer) => good.subarray(0, 4096)],
    ['another version of the format', (good: Buffer) => Buffer.from(good).fill(3, 28, 29)],
    ['zeros at its beginning', (good: Buffer) => Buffer.from(good).fill(0, 0, 4096)],
    ['zeros in its second half', (good: Buffer) => Buffer.from(good).fill(0, good.length / 2)],
  ])('is never taken for a new one: %s', async (_name, damage) => {
    await filled()
    const good = await readFile(data)
    await writeFile(data, damage(good))
    await expect(lmdb({ directory })).rejects.toMatchObject({ code: 'ERR_CNM_STORE_CORRUPT' })
    await writeFile(data, good)
    await (await lmdb({ directory })).close()
  })

  it('with any bit flipped is refused, or the bit did not matter', { timeout: 120_000 }, async () => {
    const entries = await filled()
    const good = await readFile(data)
    const places = [...anywhere(good, 40), ...headers(good, 60), ...states(40)]
    let refused = 0
    for (const [byte, bit] of places) {
      const bad = Buffer.from(good)
      bad[byte]! ^= 1 << bit
      await writeFile(data, bad)
      const store = await lmdb({ directory }).catch((error: unknown) => {
        expect(error, `bit ${bit} of byte ${byte}`).toMatchObject({ code: 'ERR_CNM_STORE_CORRUPT' })
        refused++
        return undefined
      })
      if (store === undefined) continue
      expect(await store.list(''), `bit ${bit} of byte ${byte}`).toEqual(entries)
      await store.commit([{ put: 'more', value: 'm'.repeat(5000) }])
      expect((await store.list('')).length).toBe(entries.length + 1)
      await store.close()
    }
    // The rest were in free pages, in gaps, and in the state before the last.
    expect(refused).toBeGreaterThan(places.length / 8)
  })
})

/** Bits all over the file, at the beginning of its pages, and in the states of its first pages. Always the same. */
function* anywhere(file: Buffer, count: number): Generator<[number, number]> {
  for (let index = 0; index < count; index++) yield [Math.floor((file.length * (index + 0.37)) / count), index % 8]
}
function* headers(file: Buffer, count: number): Generator<[number, number]> {
  const pages = file.length / 4096
  for (let index = 0; index < count; index++)
    yield [4096 * Math.floor(2 + ((pages - 2) * index) / count) + ((index * 5) % 64), (index * 3) % 8]
}
function* states(count: number): Generator<[number, number]> {
  for (let index = 0; index < count; index++) yield [[0, 2048, 4096][index % 3]! + 24 + ((index * 11) % 144), (index * 5) % 8]
}
