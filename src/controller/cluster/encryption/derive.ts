import { hkdfSync } from 'node:crypto'

/** What goes from one host to another. */
export interface Direction {
  /** Addresses of the nodes. */
  from: string
  to: string
  /** Of the receiver. */
  life: string
}

/** RFC 4303, section 2.1: lower ones are reserved. */
const FIRST_SPI = 256
const SPI_BYTES = 4
/** A key of AES-256, and the salt of RFC 4106. */
const KEY_BYTES = 32 + 4

/**
 * The key for one direction between two hosts, from the sender's secret (RFC 5869): both sides come to the same. Another
 * secret, another life of the receiver or another pair of addresses give another key, and another SPI.
 */
export function deriveKey(secret: string, { from, to, life }: Direction): { spi: number; key: string } {
  const purpose = `libcnm ESP, version 1: ${from} to ${to}`
  const bytes = Buffer.from(hkdfSync('sha256', Buffer.from(secret, 'hex'), Buffer.from(life, 'hex'), purpose, SPI_BYTES + KEY_BYTES))
  const spi = FIRST_SPI + (bytes.readUInt32BE(0) % (2 ** 32 - FIRST_SPI))
  return { spi, key: bytes.subarray(SPI_BYTES).toString('hex') }
}
