import { checksum } from './checksum.js'

/**
 * How a record lies in the file: version (8 bytes, IEEE 754, kept and compared by lmdb), checksum over key, version and
 * text (4 bytes), JSON text in UTF-8; numbers little-endian. LMDB has no checksums of its own, and returns whatever the
 * disk returns.
 */
const VERSION_BYTES = 8
const CHECKSUM_BYTES = 4

export interface StoredRecord {
  version: number
  text: string
}

/** The part that is given to lmdb, which puts the version before it. */
export function encodeRecord(key: Uint8Array, { version, text }: StoredRecord): Buffer {
  const bytes = Buffer.allocUnsafe(CHECKSUM_BYTES + Buffer.byteLength(text))
  bytes.write(text, CHECKSUM_BYTES)
  bytes.writeUInt32LE(checksum(key, versionBytes(version), bytes.subarray(CHECKSUM_BYTES)), 0)
  return bytes
}

/** The part that lmdb returns beside the version. Undefined when it is not what was written under this key. */
export function decodeRecord(key: Uint8Array, version: number, bytes: Buffer): StoredRecord | undefined {
  if (bytes.length < CHECKSUM_BYTES) return undefined
  if (bytes.readUInt32LE(0) !== checksum(key, versionBytes(version), bytes.subarray(CHECKSUM_BYTES))) return undefined
  return { version, text: bytes.toString('utf8', CHECKSUM_BYTES) }
}

/** A whole value, as it lies in the file. */
export const isIntact = (key: Uint8Array, value: Buffer): boolean =>
  value.length >= VERSION_BYTES && decodeRecord(key, value.readDoubleLE(0), value.subarray(VERSION_BYTES)) !== undefined

function versionBytes(version: number): Buffer {
  const bytes = Buffer.allocUnsafe(VERSION_BYTES)
  bytes.writeDoubleLE(version)
  return bytes
}
