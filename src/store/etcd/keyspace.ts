import type { JsonValue, StoreEntry } from '../../contracts/store.js'
import { CnmError } from '../../contracts/errors.js'
import { keyBytes, prefixBytes } from '../keys.js'
import type { KeyValue, RangeQuestion } from './wire.js'

/** The part of etcd's keys that is ours: every key of the store under one prefix. */
export class Keyspace {
  readonly #prefix: Buffer

  constructor(prefix: string) {
    this.#prefix = Buffer.from(prefix)
  }

  /** @throws CnmError ERR_CNM_INVALID_ARGUMENT */
  key(key: string): Buffer {
    return this.#within(keyBytes(key))
  }
  /** Of bytes that have been checked. */
  keyOf(bytes: Buffer): Buffer {
    return this.#within(bytes)
  }
  #within(bytes: Buffer): Buffer {
    return Buffer.concat([this.#prefix, bytes])
  }

  /** Every key that begins with a prefix, or those of them after a key. @throws CnmError ERR_CNM_INVALID_ARGUMENT */
  range(prefix: string, after?: Buffer): Required<Pick<RangeQuestion, 'key' | 'end'>> | undefined {
    const start = this.#within(prefixBytes(prefix))
    const end = successor(start)
    if (after === undefined) return { key: start, end }
    const first = Buffer.concat([this.#within(after), Buffer.of(0)])
    if (first.compare(end) >= 0) return undefined
    return { key: first.compare(start) > 0 ? first : start, end }
  }

  name({ key }: Pick<KeyValue, 'key'>): string {
    return text(key, this.#prefix.length)
  }

  /** @throws CnmError ERR_CNM_STORE_CORRUPT for what the store never wrote */
  entry(found: KeyValue): StoreEntry {
    const key = this.name(found)
    try {
      return { key, value: JSON.parse(text(found.value, 0)) as JsonValue, version: found.revision }
    } catch (error) {
      throw new CnmError('ERR_CNM_STORE_CORRUPT', `etcd: ${key} holds what is not JSON: somebody else writes under this prefix`, {
        object: key,
        cause: error,
      })
    }
  }
}

/** The first key that does not begin with these bytes; they are UTF-8, so the last one can always be raised. */
function successor(bytes: Buffer): Buffer {
  const end = Buffer.from(bytes)
  end[end.length - 1]!++
  return end
}

/** Without a copy of the bytes. */
const text = ({ buffer, byteOffset, length }: Uint8Array, from: number): string =>
  Buffer.from(buffer, byteOffset, length).toString('utf8', from)
