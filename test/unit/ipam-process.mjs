/** Takes addresses from a pool of a store that other processes use at the same time: directory, pool, owner, count. */
import { ipam } from 'libcnm/drivers/ipam'
import { lmdb } from 'libcnm/store/lmdb'

const [directory = '', pool = '', owner = '', count = '0'] = process.argv.slice(2)
const store = await lmdb({ directory })
const driver = ipam({ store })
const given = []
// Some at once and some in turn: commits that meet within a process, and between processes.
for (let left = Number(count); left > 0; left -= 4) {
  const leases = await Promise.all(Array.from({ length: 4 }, () => driver.requestAddress({ pool, owner, purpose: 'endpoint' })))
  given.push(...leases.map(({ address }) => address))
  await driver.releaseAddress(pool, given.shift().replace(/\/.*/, ''), owner)
}
await store.close()
process.stdout.write(JSON.stringify(given))
