import { afterAll, beforeAll, describe, it } from 'vitest'
import type { Store } from '../../src/contracts/store.js'
import { etcd } from '../../src/store/etcd.js'
import { storeConformance } from '../../src/testing/store-conformance.js'
import { startEtcd, type EtcdServer } from '../etcd.js'
import { needs } from '../tools.js'

describe.skipIf(needs('etcd'))('etcd', () => {
  let server: EtcdServer
  let number = 0
  beforeAll(async () => {
    server = await startEtcd()
  })
  afterAll(() => server[Symbol.asyncDispose]())
  const open = (): Store => etcd({ endpoints: [server.endpoint], prefix: `/conformance/${number}/` })
  storeConformance({
    open: async () => {
      number++
      return open()
    },
    reopen: async () => open(),
    describe,
    it,
  })
})
