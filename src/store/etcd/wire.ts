import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire'

/**
 * Messages of etcd's API v3, as far as the store uses them. Field numbers are those of rpc.proto and kv.proto of the
 * etcd project (api/etcdserverpb, api/mvccpb); fields that are not read are skipped.
 */

const VARINT = 0
const BYTES = 2

export const encode = (fill: (writer: BinaryWriter) => void): Uint8Array => {
  const writer = new BinaryWriter()
  fill(writer)
  return writer.finish()
}

export const bytesField = (writer: BinaryWriter, field: number, value: Uint8Array): BinaryWriter => writer.tag(field, BYTES).bytes(value)
export const numberField = (writer: BinaryWriter, field: number, value: number): BinaryWriter => writer.tag(field, VARINT).int64(value)
export const messageField = (writer: BinaryWriter, field: number, fill: (writer: BinaryWriter) => void): void => {
  writer.tag(field, BYTES).fork()
  fill(writer)
  writer.join()
}

/** Reads the fields of a message that `fields` names; each reader takes its field's value off the reader. */
export function decode(bytes: Uint8Array, fields: Readonly<Record<number, (reader: BinaryReader) => void>>): void {
  const reader = new BinaryReader(bytes)
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag()
    const read = fields[field]
    if (read === undefined) reader.skip(type, field)
    else read(reader)
  }
}

const NONE: Uint8Array = new Uint8Array()

export interface KeyValue {
  key: Uint8Array
  value: Uint8Array
  /** Revision of the last change of the key: what a {@link StoreEntry} calls its version. */
  revision: number
  lease: number
}

/** Read for every event of every watch: without {@link decode}, which makes several objects for each. */
export function keyValue(bytes: Uint8Array): KeyValue {
  const reader = new BinaryReader(bytes)
  let [key, value, revision, lease] = [NONE, NONE, 0, 0]
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag()
    if (field === 1) key = reader.bytes()
    else if (field === 3) revision = Number(reader.int64())
    else if (field === 5) value = reader.bytes()
    else if (field === 6) lease = Number(reader.int64())
    else reader.skip(type, field)
  }
  return { key, value, revision, lease }
}

function headerRevision(bytes: Uint8Array): number {
  let revision = 0
  decode(bytes, { 3: (reader) => (revision = Number(reader.int64())) })
  return revision
}

export interface RangeAnswer {
  /** Of the whole store, at the moment of the answer. */
  revision: number
  found: KeyValue[]
}

export function rangeAnswer(bytes: Uint8Array): RangeAnswer {
  const answer: RangeAnswer = { revision: 0, found: [] }
  decode(bytes, {
    1: (reader) => (answer.revision = headerRevision(reader.bytes())),
    2: (reader) => answer.found.push(keyValue(reader.bytes())),
  })
  return answer
}

export interface RangeQuestion {
  key: Uint8Array
  /** Without it: the one key. */
  end?: Uint8Array
  limit?: number
  keysOnly?: boolean
}

export function rangeQuestion(writer: BinaryWriter, { key, end, limit, keysOnly }: RangeQuestion): void {
  bytesField(writer, 1, key)
  if (end !== undefined) bytesField(writer, 2, end)
  if (limit !== undefined) numberField(writer, 3, limit)
  if (keysOnly) writer.tag(8, VARINT).bool(true)
}

export interface TransactionAnswer {
  revision: number
  succeeded: boolean
  /** Of the questions in the branch that was taken; empty for its writes. */
  ranges: KeyValue[][]
}

export function transactionAnswer(bytes: Uint8Array): TransactionAnswer {
  const answer: TransactionAnswer = { revision: 0, succeeded: false, ranges: [] }
  decode(bytes, {
    1: (reader) => (answer.revision = headerRevision(reader.bytes())),
    2: (reader) => (answer.succeeded = reader.bool()),
    3: (reader) => {
      const found: KeyValue[] = []
      decode(reader.bytes(), { 1: (inner) => found.push(...rangeAnswer(inner.bytes()).found) })
      answer.ranges.push(found)
    },
  })
  return answer
}

export interface WatchAnswer {
  revision: number
  watch: number
  created: boolean
  canceled: boolean
  /** Not 0: what was asked for is no longer there; this revision is. */
  compacted: number
  reason: string
  events: { deleted: boolean; entry: KeyValue }[]
}

export function watchAnswer(bytes: Uint8Array): WatchAnswer {
  const answer: WatchAnswer = { revision: 0, watch: 0, created: false, canceled: false, compacted: 0, reason: '', events: [] }
  decode(bytes, {
    1: (reader) => (answer.revision = headerRevision(reader.bytes())),
    2: (reader) => (answer.watch = Number(reader.int64())),
    3: (reader) => (answer.created = reader.bool()),
    4: (reader) => (answer.canceled = reader.bool()),
    5: (reader) => (answer.compacted = Number(reader.int64())),
    6: (reader) => (answer.reason = reader.string()),
    11: (reader) => answer.events.push(watchEvent(reader.bytes())),
  })
  return answer
}

function watchEvent(bytes: Uint8Array): WatchAnswer['events'][number] {
  const reader = new BinaryReader(bytes)
  let [deleted, entry] = [false, NONE]
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag()
    if (field === 1) deleted = reader.int32() === 1
    else if (field === 2) entry = reader.bytes()
    else reader.skip(type, field)
  }
  return { deleted, entry: keyValue(entry) }
}

export function createWatch(id: number, { key, end }: { key: Uint8Array; end: Uint8Array }, startRevision: number): Uint8Array {
  return encode((writer) =>
    messageField(writer, 1, (create) => {
      bytesField(create, 1, key)
      bytesField(create, 2, end)
      numberField(create, 3, startRevision)
      numberField(create, 7, id)
    }),
  )
}

export const cancelWatch = (id: number): Uint8Array =>
  encode((writer) => messageField(writer, 2, (cancel) => void numberField(cancel, 1, id)))

/** Grant: seconds and the id wanted. */
export const leaseGrant = (id: number, seconds: number): Uint8Array =>
  encode((writer) => {
    numberField(writer, 1, seconds)
    numberField(writer, 2, id)
  })

/** Renewal or end of a lease. */
export const leaseId = (id: number): Uint8Array => encode((writer) => void numberField(writer, 1, id))

/** Seconds that a renewed lease has; 0 when it is gone. */
export function leaseSeconds(bytes: Uint8Array): number {
  let seconds = 0
  decode(bytes, { 3: (reader) => (seconds = Number(reader.int64())) })
  return seconds
}
