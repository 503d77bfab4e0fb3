import assert from 'node:assert/strict'
import type { CnmError } from '../../contracts/errors.js'
import type { StoreChange } from '../../contracts/store.js'
import { rejects, type Using } from './expect.js'

export function reading(using: Using): void {
  using('returns what was put, and undefined for what was not', async (store) => {
    const value = { text: 'é\u0000"\\', number: -1.5e-7, nested: [[], {}, null, true], 'a key': '' }
    const versions = await store.commit([{ put: 'a/b', value }])
    assert.deepEqual(await store.get('a/b'), { key: 'a/b', value, version: versions.get('a/b') })
    assert.equal(await store.get('a'), undefined)
    assert.equal(await store.get('a/b/c'), undefined)
  })
  using('keeps copies: neither what was put nor what was read is shared', async (store) => {
    const value = { list: [1] }
    await store.commit([{ put: 'k', value }])
    value.list.push(2)
    const read = (await store.get('k'))?.value as typeof value
    read.list.push(3)
    assert.deepEqual((await store.get('k'))?.value, { list: [1] })
    const [listed] = await store.list('')
    ;(listed?.value as typeof value).list.push(4)
    assert.deepEqual((await store.list(''))[0]?.value, { list: [1] })
  })
  using('lists by prefix in the order of UTF-8 bytes, not of UTF-16 units', async (store) => {
    const keys = ['a/1', 'a/10', 'a/2', 'a/é', 'a/\ud83d\ude00', 'a/\uffee', 'ab/1', 'b']
    for (const put of [...keys].reverse()) await store.commit([{ put, value: put }])
    assert.deepEqual(
      (await store.list('a/')).map(({ key }) => key),
      ['a/1', 'a/10', 'a/2', 'a/é', 'a/\uffee', 'a/\ud83d\ude00'],
    )
    assert.deepEqual(
      (await store.list('a/1')).map(({ key }) => key),
      ['a/1', 'a/10'],
    )
    assert.deepEqual(
      (await store.list('')).map(({ value }) => value),
      [...keys.slice(0, 4), 'a/\uffee', 'a/\ud83d\ude00', 'ab/1', 'b'],
    )
    assert.deepEqual(await store.list('c'), [])
  })
  using('lists in pages', async (store) => {
    const changes: StoreChange[] = Array.from({ length: 25 }, (_, index) => ({ put: `p/${String(index).padStart(2, '0')}`, value: index }))
    await store.commit([...changes, { put: 'o', value: 0 }, { put: 'q', value: 0 }])
    const pages: number[][] = []
    let after: string | undefined
    for (;;) {
      const page = await store.list('p/', { after, limit: 10 })
      if (page.length === 0) break
      pages.push(page.map(({ value }) => value as number))
      after = page.at(-1)?.key
    }
    assert.deepEqual(
      pages.map(({ length }) => length),
      [10, 10, 5],
    )
    assert.deepEqual(pages.flat(), [...changes.keys()])
    assert.equal((await store.list('p/', { after: 'a' })).length, 25, 'a start before the prefix changes nothing')
    assert.equal((await store.list('p/', { after: 'z' })).length, 0)
    assert.equal((await store.list('p/', { limit: 0 })).length, 0)
    for (const limit of [-1, 1.5, NaN, '3' as never]) await rejects(() => store.list('p/', { limit }), 'ERR_CNM_INVALID_ARGUMENT')
  })
  using('lists what was there at one moment, while commits go on', async (store) => {
    const at = (value: number): StoreChange[] => Array.from({ length: 100 }, (_, index) => ({ put: `s/${index}`, value }))
    await store.commit(at(0))
    const write = async (): Promise<void> => {
      for (let value = 1; value <= 20; value++) await store.commit(at(value))
    }
    const read = async (): Promise<void> => {
      for (let round = 0; round < 20; round++) {
        const values = new Set((await store.list('s/')).map(({ value }) => value))
        assert.equal(values.size, 1, `parts of several commits: ${JSON.stringify([...values])}`)
      }
    }
    // The writer is waited for, whatever the reader finds.
    const writing = write()
    await read().finally(() => writing)
  })
  using('takes keys of 511 bytes and values of a megabyte', async (store) => {
    const put = 'k'.repeat(511)
    const value = 'v'.repeat(1_000_000)
    await store.commit([{ put, value }])
    assert.equal((await store.get(put))?.value, value)
  })
  using('refuses keys and values that cannot be kept, and writes nothing of the commit', async (store) => {
    const bad = (change: unknown): Promise<CnmError> =>
      rejects(() => store.commit([{ put: 'good', value: 1 }, change as StoreChange]), 'ERR_CNM_INVALID_ARGUMENT')
    for (const put of ['', '/a', 'a/', 'a//b', 'a\nb', 'a\u0000', 'k'.repeat(512), 'é'.repeat(256), '\ud800', 7])
      await bad({ put, value: 1 })
    for (const value of [undefined, NaN, Infinity, 1n, () => 1, Symbol('s'), [undefined], new Date(), new Map(), { a: { b: NaN } }]) {
      await bad({ put: 'k', value })
    }
    const circle: Record<string, unknown> = {}
    circle.circle = circle
    await bad({ put: 'k', value: circle })
    await bad({ put: 'good', value: 2 })
    await bad({ put: 'k', value: 1, expect: 'present' })
    await bad({ check: 'k' })
    for (const key of ['', 'a//b', 'k'.repeat(512)]) await rejects(() => store.get(key), 'ERR_CNM_INVALID_ARGUMENT')
    assert.deepEqual(await store.list(''), [])
  })
  using('drops properties that are undefined', async (store) => {
    await store.commit([{ put: 'k', value: { a: 1, b: undefined } as never }])
    assert.deepEqual((await store.get('k'))?.value, { a: 1 })
  })
}
