import { describe, expect, it } from 'vitest'
import type { Store, StoreChange, StoreEntry } from '../../src/contracts/store.js'
import { memory } from '../../src/store/memory.js'
import { storeConformance } from '../../src/testing/store-conformance.js'

/** Runs the suite with a runner of our own. @returns the names of the tests that failed */
async function failures(open: () => Store): Promise<string[]> {
  const tests: [string, () => Promise<void>][] = []
  storeConformance({
    open: async () => open(),
    timeLimit: 100,
    describe: (_name, body) => body(),
    it: (name, body) => tests.push([name, body]),
  })
  expect(tests.length).toBeGreaterThan(20)
  const failed: string[] = []
  for (const [name, body] of tests) await body().catch(() => failed.push(name))
  return failed
}

/** A memory store with one method made wrong. */
function broken(change: (store: Store) => Partial<Store>): () => Store {
  return () => {
    const store = memory()
    const whole: Store = {
      name: store.name,
      scope: store.scope,
      get: (key) => store.get(key),
      list: (prefix, options) => store.list(prefix, options),
      commit: (changes, options) => store.commit(changes, options),
      watch: (prefix, signal) => store.watch(prefix, signal),
      close: () => store.close(),
    }
    return { ...whole, ...change(store) }
  }
}

const withoutExpectations = (changes: readonly StoreChange[]): StoreChange[] =>
  changes.flatMap((change) => ('check' in change ? [] : [{ ...change, expect: undefined }]))

const FAULTS: Record<string, (store: Store) => Partial<Store>> = {
  'ignores what commits expect': (store) => ({ commit: (changes, options) => store.commit(withoutExpectations(changes), options) }),
  'commits change by change': (store) => ({
    commit: async (changes) => {
      const versions = new Map<string, number>()
      for (const change of changes) for (const [key, version] of await store.commit([change])) versions.set(key, version)
      return versions
    },
  }),
  'hands out what it keeps': (store) => {
    const shared = new Map<string, StoreEntry | undefined>()
    return {
      get: async (key) => {
        const entry = await store.get(key)
        const before = shared.get(key)
        if (before === undefined || before.version !== entry?.version) shared.set(key, entry)
        return shared.get(key)
      },
    }
  },
  'lists in the order of UTF-16': (store) => ({
    list: async (prefix, options) => (await store.list(prefix, options)).sort((left, right) => (left.key < right.key ? -1 : 1)),
  }),
  'forgets the limit of a list': (store) => ({ list: (prefix, options) => store.list(prefix, { after: options?.after }) }),
  'takes a prefix for a part': (store) => ({ list: (prefix, options) => store.list(prefix.replace(/\/$/, ''), options) }),
  'sees commits late': (store) => {
    let before: StoreEntry[] = []
    return {
      get: async (key) => {
        const entry = before.find((old) => old.key === key)
        before = await store.list('')
        return entry
      },
    }
  },
  'watches from the first next() on': (store) => ({
    watch: async function* (prefix, signal) {
      yield* store.watch(prefix, signal)
    },
  }),
  'watches everything': (store) => ({ watch: (_prefix, signal) => store.watch('', signal) }),
  'does not end watches': (store) => ({ watch: (prefix) => store.watch(prefix, new AbortController().signal) }),
  'goes on after closing': () => ({ close: async () => undefined }),
}

describe('the conformance suite of stores', () => {
  it('passes a store that is right, under any runner', async () => {
    expect(await failures(() => memory())).toEqual([])
  })

  it.each(Object.entries(FAULTS))('finds a store that %s', async (_name, fault) => {
    expect((await failures(broken(fault))).length).toBeGreaterThan(0)
  })
})
