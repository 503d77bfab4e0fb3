/** Table of CRC-32C (Castagnoli, reflected polynomial 0x82f63b78), as in RFC 3720 appendix B.4. */
const TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1
  return value
})

/** CRC-32C of the parts, one after the other. Finds every error of up to 32 neighbouring bits. */
export function checksum(...parts: Uint8Array[]): number {
  let value = 0xffffffff
  for (const bytes of parts) {
    for (let at = 0; at < bytes.length; at++) value = (TABLE[(value ^ bytes[at]!) & 0xff] as number) ^ (value >>> 8)
  }
  return (value ^ 0xffffffff) >>> 0
}
