/** Attributes that hold an address, written straight from text into the message. */
import { AF_INET, AF_INET6, ipSize, isIpv6Text, MAC_BYTES, putIp, putMac } from '../addresses.js'
import type { MessageWriter } from '../netlink/writer.js'
import { putNetwork, putPrefixAddress } from '../prefixes.js'

export const familyOf = (text: string): number => (isIpv6Text(text) ? AF_INET6 : AF_INET)

export function attrIp(writer: MessageWriter, type: number, text: string, field: string): void {
  const at = writer.attrSpace(type, ipSize(text))
  putIp(text, writer.memory, at, field)
}

/** The address of `10.0.0.2/24`. */
export function attrPrefixAddress(writer: MessageWriter, type: number, text: string, field: string): void {
  const at = writer.attrSpace(type, ipSize(text))
  putPrefixAddress(text, writer.memory, at, field)
}

/** The address of `10.0.0.0/24`, which must be that of the network. */
export function attrNetwork(writer: MessageWriter, type: number, text: string, length: number, field: string): void {
  const at = writer.attrSpace(type, ipSize(text))
  putNetwork(text, writer.memory, at, length, field)
}

export function attrMac(writer: MessageWriter, type: number, text: string, field: string): void {
  const at = writer.attrSpace(type, MAC_BYTES)
  putMac(text, writer.memory, at, field)
}
