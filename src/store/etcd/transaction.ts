import type { BinaryWriter } from '@bufbuild/protobuf/wire'
import { CnmError } from '../../contracts/errors.js'
import { requireExpected, type CheckedChange } from '../changes.js'
import type { Keyspace } from './keyspace.js'
import { bytesField, encode, messageField, numberField, rangeQuestion, type TransactionAnswer } from './wire.js'

/** What etcd takes in one transaction unless it is told otherwise (--max-txn-ops). */
const MAX_OPERATIONS = 128

const EQUAL = 0
const TARGET_MOD = 2

/** A commit as a transaction of etcd; where an expectation is not met it tells the versions that were found instead. */
export function transaction(keyspace: Keyspace, changes: readonly CheckedChange[], lease?: number): Uint8Array {
  const expecting = changes.filter(({ expect }) => expect !== undefined)
  if (Math.max(expecting.length, changes.length) > MAX_OPERATIONS)
    throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `etcd: a commit of ${changes.length} changes; it takes up to ${MAX_OPERATIONS}`, {
      field: 'changes',
    })
  return encode((writer) => {
    for (const { bytes, expect } of expecting) {
      messageField(writer, 1, (compare) => {
        numberField(compare, 1, EQUAL)
        numberField(compare, 2, TARGET_MOD)
        bytesField(compare, 3, keyspace.keyOf(bytes))
        // A key that is not there compares as 0.
        numberField(compare, 6, expect === 'absent' ? 0 : expect!)
      })
    }
    for (const change of changes)
      if (change.action !== 'check') messageField(writer, 2, (operation) => write(operation, keyspace, change, lease))
    for (const { bytes } of expecting)
      messageField(writer, 3, (operation) =>
        messageField(operation, 1, (question) => rangeQuestion(question, { key: keyspace.keyOf(bytes), keysOnly: true })),
      )
  })
}

function write(operation: BinaryWriter, keyspace: Keyspace, { bytes, action, text }: CheckedChange, lease: number | undefined): void {
  if (action === 'delete') return messageField(operation, 3, (remove) => void bytesField(remove, 1, keyspace.keyOf(bytes)))
  messageField(operation, 2, (put) => {
    bytesField(put, 1, keyspace.keyOf(bytes))
    bytesField(put, 2, Buffer.from(text))
    if (lease !== undefined) numberField(put, 3, lease)
  })
}

/** @returns version of each key that was put. @throws CnmError ERR_CNM_STORE_CONFLICT */
export function outcome({ succeeded, revision, ranges }: TransactionAnswer, changes: readonly CheckedChange[]): Map<string, number> {
  if (succeeded) return new Map(changes.filter(({ action }) => action === 'put').map(({ key }) => [key, revision]))
  const expecting = changes.filter(({ expect }) => expect !== undefined)
  for (const [index, change] of expecting.entries()) requireExpected(change, ranges[index]?.[0]?.revision)
  throw new CnmError('ERR_CNM_STORE', 'etcd: a transaction was refused though everything is as it expects')
}
