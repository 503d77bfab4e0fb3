import { CnmError } from '../contracts/errors.js'

/** Longest key in bytes of UTF-8: what every build of LMDB accepts. */
export const MAX_KEY_BYTES = 511

/** A key in the bytes by which it is kept and ordered. @throws CnmError ERR_CNM_INVALID_ARGUMENT */
export function keyBytes(key: string): Buffer {
  const bytes = prefixBytes(key)
  if (key === '' || key.startsWith('/') || key.endsWith('/')) throw refused(key, 'has an empty part')
  return bytes
}

/** The beginning of keys; unlike a key it may be empty and may end with `/`. @throws CnmError ERR_CNM_INVALID_ARGUMENT */
export function prefixBytes(prefix: string): Buffer {
  if (typeof prefix !== 'string') throw refused(prefix, 'is not a string')
  const bytes = Buffer.from(prefix)
  if (bytes.length > MAX_KEY_BYTES) throw refused(prefix, `has ${bytes.length} bytes, more than ${MAX_KEY_BYTES}`)
  if (prefix.includes('//')) throw refused(prefix, 'has an empty part')
  if (bytes.some((byte) => byte < 0x20 || byte === 0x7f)) throw refused(prefix, 'contains a control character')
  if (bytes.toString() !== prefix) throw refused(prefix, 'is not well-formed Unicode')
  return bytes
}

function refused(key: unknown, why: string): CnmError {
  const shown = JSON.stringify(typeof key === 'string' && key.length > 80 ? `${key.slice(0, 80)}…` : key)
  return new CnmError('ERR_CNM_INVALID_ARGUMENT', `store key ${shown} ${why}`, { field: 'key' })
}
