/**
 * A process that uses an LMDB store and does not end well: directory and what to do.
 * - `write`: commits until it is killed, and says the number of each commit that was acknowledged
 * - `exit`: ends after so many milliseconds, with commits under way
 * - `claim`: takes so many keys that nobody has, four at a time, beside others who want the same
 */
import { lmdb } from 'libcnm/store/lmdb'

const [directory = '', what = '', count = '0'] = process.argv.slice(2)
const store = await lmdb({ directory })

async function write() {
  const last = await store.get('last')
  for (let number = last === undefined ? 0 : last.value + 1; ; number += 3) {
    const commits = [number, number + 1, number + 2].map(async (n) => {
      const durable = n % 50 === 0
      await store.commit(
        [
          { put: `left/${n}`, value: n },
          { put: 'last', value: n },
          { put: `right/${n}`, value: 'x'.repeat(n % 3000) },
          { delete: `left/${n - 40}` },
        ],
        { durable },
      )
      // No faster than the reader reads.
      await new Promise((resolve) => process.stdout.write(`${n}\n`, () => resolve(undefined)))
    })
    await Promise.all(commits)
  }
}

async function claim(rounds) {
  let next = 0
  const take = async (round, index) => {
    for (;;) {
      const key = `claim/${next++}`
      const value = `${process.pid}/${round}/${index}`
      const version = await store
        .commit([
          { check: 'guard', expect: 'absent' },
          { put: key, value, expect: 'absent' },
        ])
        .then(
          (versions) => versions.get(key),
          (error) => {
            if (error.code !== 'ERR_CNM_STORE_CONFLICT') throw error
          },
        )
      if (version === undefined) continue
      const entry = await store.get(key)
      if (entry?.value !== value || entry.version !== version)
        throw new Error(`${key} is ${JSON.stringify(entry)}, not ${value} of ${version}`)
      return
    }
  }
  for (let round = 0; round < rounds; round++) await Promise.all([0, 1, 2, 3].map((index) => take(round, index)))
  await store.close()
}

if (what === 'write') await write()
if (what === 'claim') await claim(Number(count))
if (what === 'exit') {
  const endlessly = async (n) => {
    for (;;) await store.commit([{ put: `k/${n}`, value: 'x'.repeat(n * 100) }])
  }
  for (let n = 0; n < 20; n++) void endlessly(n)
  setTimeout(() => process.exit(7), Number(count))
}
