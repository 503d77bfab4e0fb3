import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { ipam } from '../../drivers/ipam/index.js'
import { lmdb } from '../../src/store/lmdb.js'

const run = promisify(execFile)
const PROCESSES = 5
const EACH = 60

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ipam-shared-'))
})
afterEach(() => rm(directory, { recursive: true }))

it('5 processes that take addresses from one LMDB store at once get no address twice', { timeout: 60_000 }, async () => {
  const store = await lmdb({ directory })
  const { id } = await ipam({ store }).requestPool({ space: 'local', owner: 'net', family: 4, subnet: '10.0.0.0/23' })
  const program = join(import.meta.dirname, 'ipam-process.mjs')
  const outputs = await Promise.all(
    Array.from({ length: PROCESSES }, (_, index) => run(process.execPath, [program, directory, id, `owner-${index}`, String(EACH)])),
  )
  const given = outputs.map(({ stdout }) => JSON.parse(stdout) as string[])
  expect(given.map(({ length }) => length)).toEqual(Array.from({ length: PROCESSES }, () => (EACH / 4) * 3))
  expect(new Set(given.flat()).size).toBe(given.flat().length)

  const leases = await ipam({ store }).leases!(id)
  for (const [index, addresses] of given.entries()) {
    expect(
      leases
        .filter(({ owner }) => owner === `owner-${index}`)
        .map(({ address }) => address)
        .sort(),
    ).toEqual([...addresses].sort())
  }
  expect(leases.length).toBe(given.flat().length)
  await store.close()
})

it('5 drivers that make pools at once make no two that overlap', async () => {
  const stores = await Promise.all(Array.from({ length: 5 }, () => lmdb({ directory })))
  const pools = [{ base: '10.0.0.0/24', size: 28 }]
  const drivers = stores.map((store) => ipam({ store, pools }))
  const made = await Promise.all(
    drivers.flatMap((driver) => Array.from({ length: 3 }, () => driver.requestPool({ space: 'local', owner: 'n', family: 4 }))),
  )
  const expected = Array.from({ length: 15 }, (_, index) => `10.0.0.${index * 16}/28`)
  expect(made.map(({ subnet }) => subnet).sort()).toEqual(expected.sort())
  const tries = await Promise.allSettled(
    drivers.map((driver, index) => driver.requestPool({ space: 'local', owner: 'n', family: 4, subnet: `10.1.0.0/${16 + index}` })),
  )
  expect(tries.filter(({ status }) => status === 'fulfilled').length).toBe(1)
  for (const result of tries) if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'ERR_CNM_POOL_OVERLAP' })
  await Promise.all(stores.map((store) => store.close()))
})
