/** The part of dns-packet that libcnm uses; the package has no types of its own. */
declare module 'dns-packet' {
  /** `A`, `AAAA`; numbers without a name are `UNKNOWN_65`. */
  export type RecordType = string
  export type Answer = ResourceRecord
  interface Codec<T> {
    /** With the two bytes of length before it. */
    encode(data: T): Buffer
  }
  interface Packet {
    type?: 'query' | 'response'
    id?: number
    flags?: number
    rcode?: string
    questions?: { type: RecordType; name: string; class?: string }[]
    answers?: ResourceRecord[]
    authorities?: ResourceRecord[]
    additionals?: ResourceRecord[]
  }
  interface ResourceRecord {
    type: RecordType
    name: string
    ttl?: number
    class?: string | number
    flush?: boolean
    data?: unknown
    udpPayloadSize?: number
    extendedRcode?: number
    ednsVersion?: number
    flags?: number
    flag_do?: boolean
    options?: unknown[]
  }
  export const srv: Codec<{ port: number; target: string; priority?: number; weight?: number }>
  export const ptr: Codec<string>
  export const hinfo: Codec<{ cpu: string; os: string }>
  export function encode(packet: Packet): Buffer
  export function decode(bytes: Buffer): Packet
  export function streamEncode(packet: Packet): Buffer
  const packet: {
    srv: typeof srv
    ptr: typeof ptr
    hinfo: typeof hinfo
    encode: typeof encode
    decode: typeof decode
    streamEncode: typeof streamEncode
  }
  export default packet
  export type { Packet, ResourceRecord }
}
