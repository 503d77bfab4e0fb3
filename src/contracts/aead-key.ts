import { createHash } from 'node:crypto'
import { CnmError } from './errors.js'

const DIGEST = 'sha256:'

/**
 * Key material (key and salt, hex) to bytes. The text of the key is never part of an error.
 * @throws CnmError ERR_CNM_INVALID_ARGUMENT also for the digest that a listing gives in place of a key
 */
export function keyBytes(key: string): Uint8Array {
  const hex = typeof key === 'string' ? key.replace(/^0x/, '') : ''
  if (hex.length === 0 || hex.length % 2 !== 0 || !/^[0-9a-fA-F]+$/.test(hex)) {
    const digest = typeof key === 'string' && key.startsWith(DIGEST)
    const why = digest ? 'is the digest of a key, and not the key' : 'is not a hexadecimal string of whole bytes'
    throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `aead.key ${why}`, { field: 'aead.key' })
  }
  return Uint8Array.from(Buffer.from(hex, 'hex'))
}

/**
 * What stands for a key wherever keys are not shown: `sha256:` and the digest of its bytes in hex. Two states have
 * the same digest when they have the same key.
 */
export function keyDigest(key: Uint8Array): string {
  return DIGEST + createHash('sha256').update(key).digest('hex')
}

/** Whether this is the digest of a key, and not the key. */
export const standsForKey = (key: string): boolean => key.startsWith(DIGEST)

/** The digest that listings show for a key given in hex; a digest stays as it is. */
export const redactedKey = (key: string): string => (standsForKey(key) ? key : keyDigest(keyBytes(key)))
