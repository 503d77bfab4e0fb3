import assert from 'node:assert/strict'
import { rejects, type Take, type Using } from './expect.js'

export function watching(using: Using, take: Take): void {
  using('shows the commits under a prefix, in order, from the call on', async (store) => {
    await store.commit([{ put: 'a/before', value: 0 }])
    const ending = new AbortController()
    const watch = store.watch('a/', ending.signal)
    const first = (
      await store.commit([
        { put: 'a/1', value: { n: 1 } },
        { put: 'b/1', value: 1 },
      ])
    ).get('a/1')!
    await store.commit([{ put: 'b/2', value: 1 }])
    await store.commit([
      { check: 'a/1', expect: first },
      { put: 'ab', value: 1 },
    ])
    const second = (await store.commit([{ delete: 'a/1' }, { put: 'a/2', value: 2 }])).get('a/2')!
    await store.commit([{ delete: 'a/2' }])
    const events = await take(watch, 3)
    assert.deepEqual(events[0], { version: first, put: [{ key: 'a/1', value: { n: 1 }, version: first }], deleted: [] })
    assert.deepEqual(events[1], { version: second, put: [{ key: 'a/2', value: 2, version: second }], deleted: ['a/1'] })
    assert.deepEqual({ put: events[2]?.put, deleted: events[2]?.deleted }, { put: [], deleted: ['a/2'] })
    assert.ok(events[2]!.version > second)
    ending.abort()
  })
  using('shows nothing of a commit that failed', async (store) => {
    const ending = new AbortController()
    const watch = store.watch('', ending.signal)
    await rejects(
      () =>
        store.commit([
          { put: 'k', value: 1 },
          { check: 'x', expect: 7 },
        ]),
      'ERR_CNM_STORE_CONFLICT',
    )
    await store.commit([{ put: 'k', value: 2 }])
    assert.equal((await take(watch, 1))[0]?.put[0]?.value, 2)
    ending.abort()
  })
  using('shows commits that meet in the order of their versions', async (store) => {
    const ending = new AbortController()
    const watch = store.watch('k', ending.signal)
    await Promise.all(Array.from({ length: 100 }, (_, value) => store.commit([{ put: 'k', value }])))
    const versions = (await take(watch, 100)).map(({ version }) => version)
    assert.deepEqual(
      versions,
      [...versions].sort((left, right) => left - right),
    )
    assert.equal(versions.at(-1), (await store.get('k'))?.version)
    ending.abort()
  })
  using('ends when its signal aborts, waiting or not, and when it was aborted before', async (store) => {
    const ending = new AbortController()
    const waiting = take(store.watch('', ending.signal), Infinity)
    await store.commit([{ put: 'k', value: 1 }])
    ending.abort()
    assert.equal((await waiting).length, 1)
    assert.deepEqual(await take(store.watch('', ending.signal), Infinity), [])
  })
  using('stops for one who leaves the loop, not for others', async (store) => {
    const ending = new AbortController()
    const [left, right] = [store.watch('', ending.signal), store.watch('', ending.signal)]
    await store.commit([{ put: 'k', value: 1 }])
    await take(left, 1)
    await store.commit([{ put: 'k', value: 2 }])
    assert.equal((await take(right, 2)).length, 2)
    ending.abort()
  })
}
