import { CnmError } from '../contracts/errors.js'
import type { StoreChange } from '../contracts/store.js'
import { jsonText } from './json-text.js'
import { keyBytes } from './keys.js'

/** A change that has been checked, its key in bytes and its value in text. */
export interface CheckedChange {
  key: string
  bytes: Buffer
  expect: number | 'absent' | undefined
  action: 'put' | 'delete' | 'check'
  text: string
}

/** Checks a commit before anything of it is done. @throws CnmError ERR_CNM_INVALID_ARGUMENT */
export function checkChanges(changes: readonly StoreChange[]): CheckedChange[] {
  const checked = changes.map(checkChange)
  const keys = new Set<string>()
  for (const { key } of checked) {
    if (keys.has(key)) throw refused(`key ${key} appears twice in one commit`)
    keys.add(key)
  }
  return checked
}

function checkChange(change: StoreChange): CheckedChange {
  const { expect } = change
  if (expect !== undefined && expect !== 'absent' && !Number.isSafeInteger(expect)) {
    throw refused(`expect is neither a version nor "absent": ${String(expect)}`)
  }
  if ('put' in change) return { key: change.put, bytes: keyBytes(change.put), expect, action: 'put', text: jsonText(change.value) }
  if ('delete' in change) return { key: change.delete, bytes: keyBytes(change.delete), expect, action: 'delete', text: '' }
  if (expect === undefined) throw refused(`check of ${change.check} expects nothing`)
  return { key: change.check, bytes: keyBytes(change.check), expect, action: 'check', text: '' }
}

/** Compares what a change expects with the version that the key has. @throws CnmError ERR_CNM_STORE_CONFLICT */
export function requireExpected(change: CheckedChange, version: number | undefined): void {
  const { key, expect } = change
  if (expect === undefined || expect === (version ?? 'absent')) return
  const found = version === undefined ? 'it does not exist' : `it has version ${version}`
  const wanted = expect === 'absent' ? 'it to be absent' : `version ${expect}`
  throw new CnmError('ERR_CNM_STORE_CONFLICT', `store: ${key}: expected ${wanted}, but ${found}`, { object: key })
}

function refused(message: string): CnmError {
  return new CnmError('ERR_CNM_INVALID_ARGUMENT', `store: ${message}`, { field: 'changes' })
}
