/**
 * A process that uses an LMDB store and does not end well: directory and what to do.
 * - `write`: commits until it is killed, and says the number of each commit that was acknowledged
 * - `exit`: ends after so many milliseconds, with commits under way
 * - `raise`: raises a counter so many times by compare-and-set, with others
 */
import { writeSync } from 'node:fs'
import { lmdb } from '../../src/store/lmdb.js'

const [directory = '', what = '', count = '0'] = process.argv.slice(2)
const store = await lmdb({ directory })

async function write(): Promise<never> {
  const last = await store.get('last')
  for (let number = last === undefined ? 0 : (last.value as number) + 1; ; number += 3) {
    const commits = [number, number + 1, number + 2].map(async (n) => {
      const durable = n % 50 === 0
      await store.commit([{ put: `left/${n}`, value: n }, { put: 'last', value: n }, { put: `right/${n}`, value: 'x'.repeat(n % 3000) }, { delete: `left/${n - 40}` }], { durable })
      writeSync(1, `${n}\n`)
    })
    await Promise.all(commits)
  }
}

async function raise(times: number): Promise<void> {
  while (times > 0) {
    const entry = await store.get('counter')
    const value = ((entry?.value as number | undefined) ?? 0) + 1
    const raised = await store.commit([{ put: 'counter', value, expect: entry?.version ?? 'absent' }]).then(
      () => true,
      (error: { code?: string }) => {
        if (error.code !== 'ERR_CNM_STORE_CONFLICT') throw error
        return false
      },
    )
    if (raised) times--
  }
  await store.close()
}

if (what === 'write') await write()
if (what === 'raise') await raise(Number(count))
if (what === 'exit') {
  const endlessly = async (n: number): Promise<void> => {
    for (;;) await store.commit([{ put: `k/${n}`, value: 'x'.repeat(n * 100) }])
  }
  for (let n = 0; n < 20; n++) void endlessly(n)
  setTimeout(() => process.exit(7), Number(count))
}
