import { CnmError } from '../../contracts/errors.js'
import { KEY_LENGTH } from './attributes.js'

/** Tells the kernel to have no key. */
export const NO_KEY = Object.freeze(new Array<number>(KEY_LENGTH).fill(0))

/** 32 bytes from base64. @throws CnmError ERR_CNM_INVALID_ARGUMENT, without the key in it */
export function wireguardKey(base64: string, field: string): Uint8Array {
  const bytes = typeof base64 === 'string' && /^[A-Za-z0-9+/]{43}=$/.test(base64) ? Buffer.from(base64, 'base64') : Buffer.alloc(0)
  if (bytes.length === KEY_LENGTH) return Uint8Array.from(bytes)
  throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `${field}: not ${KEY_LENGTH} bytes in base64`, { field })
}

export const keyText = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
