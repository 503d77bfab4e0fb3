import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, it } from 'vitest'
import { lmdb } from '../../src/store/lmdb.js'
import { memory } from '../../src/store/memory.js'
import { storeConformance } from '../../src/testing/store-conformance.js'

describe('memory', () => storeConformance({ open: async () => memory(), describe, it }))

describe('lmdb', () => {
  const made: string[] = []
  let directory = ''
  afterAll(() => Promise.all(made.map((path) => rm(path, { recursive: true }))))
  storeConformance({
    open: async () => {
      directory = await mkdtemp(join(tmpdir(), 'store-'))
      made.push(directory)
      return lmdb({ directory })
    },
    reopen: () => lmdb({ directory }),
    describe,
    it,
  })
})
