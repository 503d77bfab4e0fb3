import { randomBytes } from 'node:crypto'
import { CnmError } from '../../src/contracts/errors.js'
import type { Store } from '../../src/contracts/store.js'
import type { Base } from './default-pools.js'
import { formatPrefix, parsePrefix, type Prefix } from './prefix.js'
import { readUlaRecord, ulaKey } from './records.js'

/**
 * The unique local /48 of a space, from which its IPv6 networks get their /64s: `fd` and 40 random bits (RFC 4193
 * section 3.2), drawn once and kept in the store.
 */
export async function ulaBase(store: Store, space: string): Promise<Base> {
  for (;;) {
    const entry = await store.get(ulaKey(space))
    if (entry !== undefined) return { prefix: parsePrefix(readUlaRecord(entry).prefix, 6, 'ula'), size: 64 }
    try {
      await store.commit([{ put: ulaKey(space), value: { version: 1, prefix: formatPrefix(randomUla()) }, expect: 'absent' }])
    } catch (error) {
      // Somebody else drew at the same time: theirs it is.
      if (!(error instanceof CnmError) || error.code !== 'ERR_CNM_STORE_CONFLICT') throw error
    }
  }
}

const randomUla = (): Prefix => ({ family: 6, start: BigInt(`0xfd${randomBytes(5).toString('hex')}`) << 80n, length: 48 })
