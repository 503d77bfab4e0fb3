import { checksum } from './checksum.js'

/**
 * How a record lies in the file: checksum over key and the rest (4 bytes), version (8 bytes, IEEE 754), JSON text in
 * UTF-8; numbers little-endian. LMDB has no checksums of its own, and returns whatever the disk returns.
 */
const HEADER_BYTES = 12

export interface StoredRecord {
  version: number
  text: string
}

export function encodeRecord(key: Uint8Array, { version, text }: StoredRecord): Buffer {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + Buffer.byteLength(text))
  bytes.writeDoubleLE(version, 4)
  bytes.write(text, HEADER_BYTES)
  bytes.writeUInt32LE(checksum(key, bytes.subarray(4)), 0)
  return bytes
}

/** Undefined when the bytes are not what was written under this key. */
export function decodeRecord(key: Uint8Array, bytes: Buffer): StoredRecord | undefined {
  if (bytes.length <= HEADER_BYTES || bytes.readUInt32LE(0) !== checksum(key, bytes.subarray(4))) return undefined
  return { version: bytes.readDoubleLE(4), text: bytes.toString('utf8', HEADER_BYTES) }
}
