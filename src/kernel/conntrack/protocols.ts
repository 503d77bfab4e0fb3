import { CnmError } from '../../contracts/errors.js'

/** IP protocols that connections are asked for by name; any other by its number. */
const NUMBERS = { icmp: 1, tcp: 6, udp: 17, dccp: 33, gre: 47, icmpv6: 58, sctp: 132, udplite: 136 } as const

export type ProtocolName = keyof typeof NUMBERS
export type Protocol = ProtocolName | number

/** @throws CnmError ERR_CNM_INVALID_ARGUMENT */
export function protocolNumber(protocol: Protocol): number {
  const number = typeof protocol === 'number' ? protocol : Object.hasOwn(NUMBERS, protocol) ? NUMBERS[protocol] : -1
  if (Number.isInteger(number) && number >= 0 && number <= 255) return number
  throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `protocol: ${JSON.stringify(protocol)} is not a known protocol`, { field: 'protocol' })
}

export const IPPROTO_ICMP = NUMBERS.icmp
export const IPPROTO_ICMPV6 = NUMBERS.icmpv6
