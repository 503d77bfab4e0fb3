/**
 * How long a commit takes, and how long it keeps the event loop from turning.
 *
 *     node --import tsx bench/store/run.ts [directory on the disk to measure]
 *
 * Each commit puts three records of 600 bytes. "in turn": the next begins when the last is acknowledged; "apart": 4 ms
 * pass between them, as they do between the steps of an attachment.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Store } from '../../src/contracts/store.js'
import { lmdb } from '../../src/store/lmdb.js'

const value = { text: 'x'.repeat(600) }
const commit = (store: Store, index: number, durable = false): Promise<unknown> =>
  store.commit(
    [0, 1, 2].map((part) => ({ put: `record/${part}/${index % 500}`, value })),
    { durable },
  )

async function measure(what: string, count: number, action: (index: number) => Promise<unknown>, pause = 0): Promise<void> {
  const [whole, blocking]: [number[], number[]] = [[], []]
  for (let index = 0; index < count; index++) {
    if (pause > 0) await sleep(pause)
    const start = performance.now()
    const done = action(index)
    blocking.push(performance.now() - start)
    await done
    whole.push(performance.now() - start)
  }
  console.log(`${what.padEnd(34)} ${quantiles(whole)}   the call itself: ${quantiles(blocking)}`)
}

function quantiles(milliseconds: number[]): string {
  milliseconds.sort((left, right) => left - right)
  const at = (share: number): string => (milliseconds[Math.floor((milliseconds.length - 1) * share)]! * 1000).toFixed(0).padStart(6)
  return `p50 ${at(0.5)}  p99 ${at(0.99)}  max ${at(1)} us`
}

const parent = process.argv[2] ?? tmpdir()
const directory = await mkdtemp(join(parent, 'bench-store-'))
try {
  const store = await lmdb({ directory })
  for (let index = 0; index < 500; index++) await commit(store, index)
  await measure('commit, in turn', 1000, (index) => commit(store, index))
  await measure('commit, apart', 300, (index) => commit(store, index), 4)
  await measure('commit, durable, in turn', 300, (index) => commit(store, index, true))
  await measure('commit, durable, apart', 300, (index) => commit(store, index, true), 4)
  await measure('100 commits at once', 50, (index) =>
    Promise.all(Array.from({ length: 100 }, (_, part) => commit(store, index * 100 + part))),
  )
  await measure('get', 2000, () => store.get('record/0/7'))
  await measure('list 1,500', 20, () => store.list(''))
  await store.close()
  const start = performance.now()
  await (await lmdb({ directory })).close()
  console.log(`check and open: ${(performance.now() - start).toFixed(1)} ms`)
} finally {
  await rm(directory, { recursive: true })
}
