import { randomInt } from 'node:crypto'
import type { Held, HoldOptions, JsonValue } from '../../contracts/store.js'
import { CnmError } from '../../contracts/errors.js'
import { checkChanges } from '../changes.js'
import type { Connection } from './connection.js'
import type { Keyspace } from './keyspace.js'
import { outcome, transaction } from './transaction.js'
import { leaseGrant, leaseId, leaseSeconds, rangeAnswer, rangeQuestion, encode, transactionAnswer } from './wire.js'

/** Ids of leases are 63 bits; we use what a double holds. */
const LARGEST_ID = 2 ** 48 - 1

/** One record that lives with a lease, which is renewed three times in its life. */
export class Presence implements Held {
  readonly #connection: Connection
  readonly #keyspace: Keyspace
  readonly #key: string
  readonly #value: JsonValue
  readonly #options: HoldOptions
  #lease = 0
  #timer: NodeJS.Timeout | undefined
  #renewing: Promise<void> | undefined
  #released = false

  constructor(connection: Connection, keyspace: Keyspace, key: string, value: JsonValue, options: HoldOptions) {
    this.#connection = connection
    this.#keyspace = keyspace
    this.#key = key
    this.#value = value
    this.#options = options
  }

  /** @throws CnmError ERR_CNM_STORE_CONFLICT when another value is there */
  async take(): Promise<void> {
    const lease = randomInt(1, LARGEST_ID)
    await this.#connection.ask('/etcdserverpb.Lease/LeaseGrant', leaseGrant(lease, this.#options.seconds), true)
    try {
      await this.#put(lease)
    } catch (error) {
      await this.#revoke(lease)
      throw error
    }
    this.#lease = lease
    this.#schedule()
  }

  async #put(lease: number): Promise<void> {
    const key = this.#keyspace.key(this.#key)
    const { found } = rangeAnswer(
      await this.#connection.ask(
        '/etcdserverpb.KV/Range',
        encode((writer) => rangeQuestion(writer, { key })),
        true,
      ),
    )
    const before = found[0]
    const changes = checkChanges([{ put: this.#key, value: this.#value, expect: before?.revision ?? 'absent' }])
    // Our own of an earlier life, whose lease runs out by itself, is taken over.
    if (before !== undefined && Buffer.from(before.value).toString() !== changes[0]!.text)
      throw new CnmError('ERR_CNM_STORE_CONFLICT', `store: ${this.#key} is held by another: ${Buffer.from(before.value).toString()}`, {
        object: this.#key,
      })
    const answer = await this.#connection.ask('/etcdserverpb.KV/Txn', transaction(this.#keyspace, changes, lease), false)
    outcome(transactionAnswer(answer), changes)
  }

  #schedule(): void {
    if (!this.#released) this.#timer = setTimeout(() => void this.renew(), (this.#options.seconds * 1000) / 3).unref()
  }

  /** Renews the lease now; where it is gone, begins again. */
  renew(): Promise<void> {
    clearTimeout(this.#timer)
    this.#renewing ??= this.#renew().finally(() => {
      this.#renewing = undefined
      this.#schedule()
    })
    return this.#renewing
  }

  async #renew(): Promise<void> {
    try {
      const answer = await this.#connection.ask('/etcdserverpb.Lease/LeaseKeepAlive', leaseId(this.#lease), true)
      if (leaseSeconds(answer) > 0 || this.#released) return
      clearTimeout(this.#timer)
      await this.take()
    } catch (error) {
      if (error instanceof CnmError && error.code === 'ERR_CNM_STORE_CONFLICT') this.#options.lost?.(error)
    }
  }

  async release(): Promise<void> {
    if (this.#released) return
    this.#released = true
    clearTimeout(this.#timer)
    await this.#renewing
    clearTimeout(this.#timer)
    await this.#revoke(this.#lease)
  }

  /** If it cannot be, it runs out by itself. */
  async #revoke(lease: number): Promise<void> {
    await this.#connection.ask('/etcdserverpb.Lease/LeaseRevoke', leaseId(lease), true).catch(() => undefined)
  }
}
