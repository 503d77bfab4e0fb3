import * as v from 'valibot'
import type { StoreEntry } from '../../../contracts/store.js'
import { readClusterRecord } from '../records.js'

/**
 * What hosts with encrypted networks tell each other. Each host writes its own two records, and those that have an
 * encrypted network themselves read all of them:
 *
 *     encryption/key/<node>    secrets of the host, for what it sends
 *     encryption/ack/<node>    which of the others' secrets it can receive with
 */
export const ENCRYPTION = 'encryption/'
const KEYS = `${ENCRYPTION}key/`

export const senderKey = (node: string): string => KEYS + node
export const ackKey = (node: string): string => `${ENCRYPTION}ack/${node}`
export const isSenderKey = (key: string): boolean => key.startsWith(KEYS)

/** With a message of our own: that of the library would repeat what it was given. */
const secret = v.pipe(v.string('expected a secret'), v.regex(/^[0-9a-f]{64}$/, 'expected 32 bytes in hex'))

const senderSchema = v.strictObject({
  version: v.literal(1),
  /** Other keys with it: of this stay of the host in the cluster's encrypted networks, as long as its kernel has lost none of its states. */
  life: secret,
  /** How often the cluster has changed its keys. Whoever sees a higher number than his own follows. */
  round: v.pipe(v.number(), v.integer(), v.minValue(0)),
  /** The newest last; in use until every other host can receive with a newer one. */
  secrets: v.pipe(v.array(v.strictObject({ id: v.pipe(v.number(), v.integer()), secret })), v.minLength(1), v.maxLength(64)),
})
export type SenderRecord = v.InferOutput<typeof senderSchema>

const ackSchema = v.strictObject({
  version: v.literal(1),
  /** Everything that was written up to this commit of the store. */
  applied: v.pipe(v.number(), v.integer(), v.minValue(0)),
})
export type AckRecord = v.InferOutput<typeof ackSchema>

/** @throws CnmError ERR_CNM_RECORD_INVALID naming the record, never with a secret in it */
export const readSender = (entry: StoreEntry): SenderRecord => readClusterRecord(senderSchema, entry)
/** @throws CnmError ERR_CNM_RECORD_INVALID naming the record */
export const readAck = (entry: StoreEntry): AckRecord => readClusterRecord(ackSchema, entry)
