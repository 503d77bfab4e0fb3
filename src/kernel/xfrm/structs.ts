/** The fixed structures of linux/xfrm.h that states and policies share. */
import { CnmError } from '../../contracts/errors.js'
import { AF_INET, AF_INET6, ipBytes, ipFamily, ipText, prefixBytes, prefixText } from '../netlink/ip.js'
import { u16, u16be, u32, u32be, u8 } from '../netlink/reader.js'
import type { MessageWriter } from '../netlink/writer.js'

export const IPPROTO_ESP = 50
export const MODES = ['transport', 'tunnel'] as const
export type Mode = (typeof MODES)[number]
export const XFRMA_MARK = 21
const XFRMA_IF_ID = 31
export const SELECTOR_LENGTH = 56
export const ID_LENGTH = 24
/** struct xfrm_lifetime_cfg and struct xfrm_lifetime_cur. */
export const LIFETIMES_LENGTH = 64 + 32
const NO_LIMIT = 0xffff_ffff_ffff_ffffn

export interface Mark {
  value: number
  mask: number
}

/** Which packets a policy or a state is for. */
export interface Selector {
  source: string
  destination: string
  protocol?: number
  sourcePort?: number
  destinationPort?: number
}

/** xfrm_address_t: 16 bytes, of which IPv4 uses the first four. */
export function writeAddress(writer: MessageWriter, address: Uint8Array): void {
  writer.raw(address)
  if (address.length === 4) writer.u32(0).u32(0).u32(0)
}

export function readAddress(bytes: Uint8Array, at: number, family: number): string {
  return ipText(bytes.subarray(at, at + (family === AF_INET ? 4 : 16)))
}

/** struct xfrm_id, padded to 24 bytes. */
export function writeId(writer: MessageWriter, destination: Uint8Array, spi: number): void {
  writeAddress(writer, destination)
  writer.u32be(spi).u8(IPPROTO_ESP).u8(0).u16(0)
}

/** struct xfrm_selector. Ports match exactly when given, and not at all otherwise. */
export function writeSelector(writer: MessageWriter, selector: Selector): void {
  const destination = prefixBytes(selector.destination, 'destination')
  const source = prefixBytes(selector.source, 'source')
  if (source.bytes.length !== destination.bytes.length) {
    throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `source ${selector.source} and destination ${selector.destination} differ in family`, {
      field: 'source',
    })
  }
  writeAddress(writer, destination.bytes)
  writeAddress(writer, source.bytes)
  writePort(writer, selector.destinationPort)
  writePort(writer, selector.sourcePort)
  writer.u16(ipFamily(destination.bytes)).u8(destination.length).u8(source.length)
  // protocol, padding; then interface index and user id, both any
  writer
    .u8(selector.protocol ?? 0)
    .u8(0)
    .u16(0)
    .u32(0)
    .u32(0)
}

/** A selector that matches every packet of a family. */
export function writeAnySelector(writer: MessageWriter, family: number): void {
  const any = family === AF_INET6 ? '::/0' : '0.0.0.0/0'
  writeSelector(writer, { source: any, destination: any })
}

function writePort(writer: MessageWriter, port: number | undefined): void {
  writer.u16be(port ?? 0).u16be(port === undefined ? 0 : 0xffff)
}

export function readSelector(bytes: Uint8Array, at: number): Selector {
  const family = u16(bytes, at + 40)
  const width = family === AF_INET ? 4 : 16
  const prefix = (offset: number, length: number): string => prefixText({ bytes: bytes.subarray(at + offset, at + offset + width), length })
  const selector: Selector = { source: prefix(16, u8(bytes, at + 43)), destination: prefix(0, u8(bytes, at + 42)) }
  if (u8(bytes, at + 44) !== 0) selector.protocol = u8(bytes, at + 44)
  if (u16be(bytes, at + 38) !== 0) selector.sourcePort = u16be(bytes, at + 36)
  if (u16be(bytes, at + 34) !== 0) selector.destinationPort = u16be(bytes, at + 32)
  return selector
}

export const selectorFamily = (bytes: Uint8Array, at: number): number => u16(bytes, at + 40)

/** Neither packets, bytes nor time end it; nothing is counted yet. */
export function writeLifetimes(writer: MessageWriter): void {
  for (let i = 0; i < 4; i++) writer.u64(NO_LIMIT)
  for (let i = 0; i < 8; i++) writer.u64(0n)
}

export function writeMark(writer: MessageWriter, mark: Mark | undefined): void {
  if (mark !== undefined) writer.attrBytes(XFRMA_MARK, new Uint8Array(Uint32Array.of(mark.value, mark.mask).buffer))
}

export function readMark(attribute: Uint8Array | undefined): Mark | undefined {
  const mark = attribute === undefined ? undefined : { value: u32(attribute), mask: u32(attribute, 4) }
  return mark === undefined || (mark.value === 0 && mark.mask === 0) ? undefined : mark
}

/** Belongs to an xfrm interface. */
export function hasInterfaceId(attributes: Map<number, Uint8Array>): boolean {
  const id = attributes.get(XFRMA_IF_ID)
  return id !== undefined && u32(id) !== 0
}

export const readSpi = (bytes: Uint8Array, at: number): number => u32be(bytes, at + 16)

/** Both ends of a security association, which must be of one family. */
export function endpoints(source: string, destination: string): { source: Uint8Array; destination: Uint8Array; family: number } {
  const ends = { source: ipBytes(source, 'source'), destination: ipBytes(destination, 'destination') }
  if (ends.source.length !== ends.destination.length) {
    throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `source ${source} and destination ${destination} differ in family`, { field: 'source' })
  }
  return { ...ends, family: ipFamily(ends.destination) }
}

export function checkMode(mode: string | undefined): number {
  const index = MODES.indexOf((mode ?? 'transport') as Mode)
  if (index < 0)
    throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `mode: ${JSON.stringify(mode)} is neither transport nor tunnel`, { field: 'mode' })
  return index
}
