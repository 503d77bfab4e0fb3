import type { Store } from 'libcnm/contracts'
import { memory } from 'libcnm/store/memory'

type Commit = Store['commit']

/** A store in memory whose commits go through a test's hands. */
export function commitsThrough(hands: (commit: Commit, ...args: Parameters<Commit>) => ReturnType<Commit>): Store {
  const store = memory()
  return new Proxy(store, {
    get(real, name) {
      const value: unknown = Reflect.get(real, name)
      if (name === 'commit') return async (...args: Parameters<Commit>) => hands(real.commit.bind(real), ...args)
      return typeof value === 'function' ? (value as () => unknown).bind(real) : value
    },
  })
}
