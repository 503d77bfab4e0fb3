import assert from 'node:assert/strict'
import type { StoreChange } from '../../contracts/store.js'
import { assertConflict, rejects, type Using } from './expect.js'

export function conditions(using: Using): void {
  using('absent: of two that create one key, one succeeds', async (store) => {
    const tries = await Promise.allSettled(
      Array.from({ length: 10 }, (_, value) => store.commit([{ put: 'name', value, expect: 'absent' }])),
    )
    const won = tries.findIndex(({ status }) => status === 'fulfilled')
    assert.equal(tries.filter(({ status }) => status === 'fulfilled').length, 1)
    assert.equal((await store.get('name'))?.value, won)
    for (const result of tries) if (result.status === 'rejected') assertConflict(result.reason, 'name')
  })
  using('version: a counter that many raise at once loses nothing', async (store) => {
    await store.commit([{ put: 'counter', value: 0 }])
    const raise = async (): Promise<void> => {
      for (;;) {
        const { value, version } = (await store.get('counter'))!
        try {
          await store.commit([{ put: 'counter', value: (value as number) + 1, expect: version }])
          return
        } catch (error) {
          assertConflict(error, 'counter')
        }
      }
    }
    await Promise.all(Array.from({ length: 20 }, raise))
    assert.equal((await store.get('counter'))?.value, 20)
  })
  using('one failed expectation undoes the whole commit, wherever it stands', async (store) => {
    await store.commit([{ put: 'old', value: 1 }])
    const changes: StoreChange[] = [{ put: 'new', value: 1 }, { put: 'old', value: 2 }, { delete: 'gone' }]
    for (const failing of [
      { put: 'x', value: 1, expect: 999_999 },
      { check: 'x', expect: 1 },
      { delete: 'x', expect: 1 },
    ] satisfies StoreChange[]) {
      for (let at = 0; at <= changes.length; at++) {
        const error = await rejects(() => store.commit([...changes.slice(0, at), failing, ...changes.slice(at)]), 'ERR_CNM_STORE_CONFLICT')
        assertConflict(error, 'x')
      }
    }
    assert.deepEqual(
      (await store.list('')).map(({ key, value }) => [key, value]),
      [['old', 1]],
    )
  })
  using('check: guards a commit without writing', async (store) => {
    const version = (await store.commit([{ put: 'guard', value: 1 }])).get('guard')!
    const versions = await store.commit([
      { check: 'guard', expect: version },
      { check: 'none', expect: 'absent' },
      { put: 'k', value: 1 },
    ])
    assert.deepEqual([...versions.keys()], ['k'])
    assert.equal((await store.get('guard'))?.version, version)
    await store.commit([{ put: 'guard', value: 2 }])
    assertConflict(
      await rejects(
        () =>
          store.commit([
            { check: 'guard', expect: version },
            { put: 'k', value: 2 },
          ]),
        'ERR_CNM_STORE_CONFLICT',
      ),
      'guard',
    )
    assert.equal((await store.get('k'))?.value, 1)
  })
  using('versions grow, and none comes twice, also after deletion', async (store) => {
    const seen: number[] = []
    for (let round = 0; round < 5; round++) {
      seen.push((await store.commit([{ put: 'k', value: round }])).get('k')!)
      if (round % 2 === 1) await store.commit([{ delete: 'k' }])
    }
    assert.deepEqual(
      seen,
      [...new Set(seen)].sort((left, right) => left - right),
    )
    await rejects(() => store.commit([{ delete: 'k', expect: seen[0] }]), 'ERR_CNM_STORE_CONFLICT')
    await store.commit([{ delete: 'k', expect: seen.at(-1) }])
    assert.equal(await store.get('k'), undefined)
    assertConflict(await rejects(() => store.commit([{ put: 'k', value: 1, expect: seen.at(-1) }]), 'ERR_CNM_STORE_CONFLICT'), 'k')
  })
  using('commits that meet are atomic each', async (store) => {
    const commits = Array.from({ length: 50 }, (_, value) =>
      store.commit([
        { put: 'left', value },
        { put: `one/${value}`, value, ...(value % 5 === 0 ? { expect: 1_000_000 } : {}) },
        { put: 'right', value },
      ]),
    )
    const results = await Promise.allSettled(commits)
    for (const [value, { status }] of results.entries()) {
      assert.equal(status, value % 5 === 0 ? 'rejected' : 'fulfilled')
      assert.equal((await store.get(`one/${value}`)) !== undefined, status === 'fulfilled')
    }
    const [left, right] = [await store.get('left'), await store.get('right')]
    assert.equal(left?.value, right?.value)
    assert.equal(left?.version, right?.version)
  })
  using('durable commits are commits', async (store) => {
    const versions = await store.commit([{ put: 'k', value: 1 }], { durable: true })
    assert.equal((await store.get('k'))?.version, versions.get('k'))
    await rejects(() => store.commit([{ put: 'k', value: 2, expect: 'absent' }], { durable: true }), 'ERR_CNM_STORE_CONFLICT')
  })
  using('a commit is seen by whoever reads after it', async (store) => {
    for (let value = 0; value < 50; value++) {
      await Promise.all([store.get('k'), store.commit([{ put: 'k', value }])])
      assert.equal((await store.get('k'))?.value, value)
      assert.equal((await store.list('k'))[0]?.value, value)
    }
  })
}
