/** Numbers of RFC 1035, RFC 6891 (EDNS), RFC 8482 and RFC 2782. */
export const HEADER = 12

// second and third byte of the header
export const QR = 0x80
export const AA = 0x04
export const TC = 0x02
export const RD = 0x01
export const RA = 0x80
export const AD = 0x20
export const CD = 0x10
export const OPCODE_MASK = 0x78

export const NOERROR = 0
export const FORMERR = 1
export const SERVFAIL = 2
export const NXDOMAIN = 3
export const NOTIMP = 4
export const REFUSED = 5
/** Extended: the upper bits travel in OPT. */
export const BADVERS = 16

export const TYPE_A = 1
export const TYPE_CNAME = 5
export const TYPE_SOA = 6
export const TYPE_PTR = 12
export const TYPE_HINFO = 13
export const TYPE_AAAA = 28
export const TYPE_SRV = 33
export const TYPE_OPT = 41
export const TYPE_ANY = 255
export const CLASS_IN = 1

/** Types that ask for an operation instead of records (RFC 6895, 3.1); of these only ANY has an answer here. */
export const isMetaType = (type: number): boolean => (type >= 128 && type <= 255) || type === TYPE_OPT || type === 0

export const MAX_NAME = 255
export const MAX_LABEL = 63
/** Largest UDP answer to a client that says nothing about what it can take. */
export const PLAIN_UDP = 512
/** What we say that we can take: fits any path without fragments (DNS flag day 2020). */
export const OUR_UDP = 1232
/** Largest UDP answer that we send to a client that can take it; loopback does not fragment it. */
export const MAX_UDP = 4096
export const MAX_MESSAGE = 65_535
/** An OPT record without options. */
export const OPT_LENGTH = 11
