import assert from 'node:assert/strict'
import type { Store } from '../../contracts/store.js'
import { rejects, type Take } from './expect.js'

interface Closing {
  open: () => Promise<Store>
  reopen: (() => Promise<Store>) | undefined
  it: (name: string, body: () => Promise<void>) => unknown
  take: Take
}

export function closing({ open, reopen, it, take }: Closing): void {
  it('refuses everything after closing, and may be closed twice', async () => {
    const store = await open()
    await Promise.all([store.close(), store.close()])
    await store.close()
    await rejects(() => store.get('k'), 'ERR_CNM_CLOSED')
    await rejects(() => store.list(''), 'ERR_CNM_CLOSED')
    await rejects(() => store.commit([{ put: 'k', value: 1 }]), 'ERR_CNM_CLOSED')
    assert.throws(() => store.watch('', new AbortController().signal), { code: 'ERR_CNM_CLOSED' })
  })
  it('ends watches when it closes, after what happened before', async () => {
    const store = await open()
    const events = take(store.watch('', new AbortController().signal), Infinity)
    void store.commit([{ put: 'k', value: 1 }])
    await store.close()
    assert.equal((await events).length, 1)
  })
  it('finishes commits and lists that are under way when it is closed', async () => {
    const store = await open()
    await store.commit([{ put: 'k', value: 0 }])
    const commits = Array.from({ length: 20 }, (_, value) => store.commit([{ put: `k/${value}`, value }]))
    const list = store.list('k')
    await store.close()
    await Promise.all(commits)
    assert.ok((await list).length >= 1)
  })
  if (reopen === undefined) return
  it('keeps records, versions and their growth over closing and opening', async () => {
    const store = await open()
    const before = (
      await store.commit([
        { put: 'a', value: { n: 1 } },
        { put: 'b', value: 2 },
      ])
    ).get('a')!
    const last = (await store.commit([{ put: 'c', value: 3 }])).get('c')!
    await store.commit([{ delete: 'c' }])
    await store.close()
    const again = await reopen()
    try {
      assert.deepEqual(await again.get('a'), { key: 'a', value: { n: 1 }, version: before })
      assert.deepEqual(
        (await again.list('')).map(({ key }) => key),
        ['a', 'b'],
      )
      assert.ok((await again.commit([{ put: 'c', value: 4 }])).get('c')! > last)
    } finally {
      await again.close()
    }
  })
}
