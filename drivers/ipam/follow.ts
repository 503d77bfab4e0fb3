import type { Store, StoreEvent } from '../../src/contracts/store.js'
import { ADDRESSES, addressOfKey, POOLS } from './records.js'
import type { Space } from './space.js'

/** Keeps the spaces up to date with what others do in a shared store, so that races are rarely lost. */
export async function follow(store: Store, spaces: ReadonlyMap<string, Space>, signal: AbortSignal): Promise<void> {
  for await (const event of store.watch('ipam/', signal)) apply(event, spaces)
}

function apply({ version, put, deleted }: StoreEvent, spaces: ReadonlyMap<string, Space>): void {
  for (const entry of put) {
    const space = spaceOf(entry.key, spaces)
    if (entry.key.startsWith(POOLS)) space?.put(entry)
    else mark(space, entry.key, true)
  }
  for (const key of deleted) {
    const space = spaceOf(key, spaces)
    if (key.startsWith(POOLS)) removePool(space, key.slice(POOLS.length), version)
    else mark(space, key, false)
  }
}

const spaceOf = (key: string, spaces: ReadonlyMap<string, Space>): Space | undefined => spaces.get(key.split('/')[2] ?? '')

function mark(space: Space | undefined, key: string, taken: boolean): void {
  if (!key.startsWith(ADDRESSES)) return
  space?.subnet(key.split('/')[3]!)?.mark(addressOfKey(key), taken)
}

/** The news may be older than a pool that has been made again since. */
function removePool(space: Space | undefined, id: string, version: number): void {
  const pool = space?.pool(id)
  if (pool !== undefined && pool.version < version) space?.remove(id)
}
