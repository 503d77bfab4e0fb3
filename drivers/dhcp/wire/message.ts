import { isIPv4 } from 'node:net'
import { BOOTREPLY, BOOTREQUEST, MESSAGE_TYPE, OPTION, type MessageType } from './codes.js'

/** A DHCP message (RFC 2131, section 2), as far as a client has to do with it. */
export interface DhcpMessage {
  type: MessageType
  /** Transaction id, 32 bits. */
  xid: number
  /** Seconds since the client began. */
  secs: number
  /** The server answers by broadcast. */
  broadcast: boolean
  /** Address that the client has and can be reached at. */
  clientAddress: string
  /** Address that the server gives. */
  yourAddress: string
  mac: string
  options: ReadonlyMap<number, Uint8Array>
}

const FIXED = 236
const SNAME = 44
const FILE = 108
const COOKIE = 0x63825363
const BROADCAST = 0x8000
const ETHERNET = 1
const MAC_LENGTH = 6
const LONGEST_OPTION = 255
/** Relays of old drop what is shorter (RFC 1542, section 2.1). */
const SMALLEST = 300
const ANY = '0.0.0.0'

const NAMES = new Map<number, MessageType>(Object.entries(MESSAGE_TYPE).map(([name, code]) => [code, name as MessageType]))

export const addressBytes = (address: string): Uint8Array => Uint8Array.from(address.split('.').map(Number))
export const addressText = (bytes: Uint8Array): string => bytes.join('.')
export const macBytes = (mac: string): Uint8Array => Uint8Array.from(mac.split(':').map((part) => parseInt(part, 16)))
export const macText = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex').match(/../g)?.join(':') ?? ''
export const seconds = (value: number): Uint8Array => Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value)

export function encodeMessage(message: DhcpMessage): Buffer {
  const head = Buffer.alloc(FIXED + 4)
  head[0] = BOOTREQUEST
  head[1] = ETHERNET
  head[2] = MAC_LENGTH
  head.writeUInt32BE(message.xid, 4)
  head.writeUInt16BE(Math.min(message.secs, 0xffff), 8)
  head.writeUInt16BE(message.broadcast ? BROADCAST : 0, 10)
  head.set(addressBytes(message.clientAddress), 12)
  head.set(addressBytes(message.yourAddress), 16)
  head.set(macBytes(message.mac), 28)
  head.writeUInt32BE(COOKIE, FIXED)
  const parts: Uint8Array[] = [head, Uint8Array.of(OPTION.messageType, 1, MESSAGE_TYPE[message.type])]
  for (const [code, value] of message.options) parts.push(Uint8Array.of(code, value.length), value)
  parts.push(Uint8Array.of(OPTION.end))
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  return Buffer.concat(parts, Math.max(length, SMALLEST))
}

/** A server's answer; `undefined` for what is none. Never throws, whatever the bytes are. */
export function decodeMessage(bytes: Uint8Array): DhcpMessage | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (buffer.length < FIXED + 4 || buffer[0] !== BOOTREPLY || buffer[1] !== ETHERNET || buffer[2] !== MAC_LENGTH) return undefined
  if (buffer.readUInt32BE(FIXED) !== COOKIE) return undefined
  const options = readOptions(buffer)
  const type = NAMES.get(options.get(OPTION.messageType)?.[0] ?? 0)
  if (type === undefined) return undefined
  return {
    type,
    xid: buffer.readUInt32BE(4),
    secs: buffer.readUInt16BE(8),
    broadcast: (buffer.readUInt16BE(10) & BROADCAST) !== 0,
    clientAddress: addressText(buffer.subarray(12, 16)),
    yourAddress: addressText(buffer.subarray(16, 20)),
    mac: macText(buffer.subarray(28, 28 + MAC_LENGTH)),
    options,
  }
}

/** Options may go on in the fields for the boot file and the server's name (RFC 2132, section 9.3). */
function readOptions(message: Buffer): Map<number, Uint8Array> {
  const options = new Map<number, Uint8Array>()
  readField(message.subarray(FIXED + 4), options)
  const overload = options.get(OPTION.overload)?.[0] ?? 0
  if ((overload & 1) !== 0) readField(message.subarray(FILE, FIXED), options)
  if ((overload & 2) !== 0) readField(message.subarray(SNAME, FILE), options)
  return options
}

/** One that comes again goes on where it stopped (RFC 3396). */
function readField(field: Buffer, options: Map<number, Uint8Array>): void {
  for (let at = 0; at < field.length;) {
    const code = field[at]!
    if (code === OPTION.end) return
    if (code === OPTION.pad) {
      at++
      continue
    }
    const length = field[at + 1]
    if (length === undefined || at + 2 + length > field.length) return
    const value = field.subarray(at + 2, at + 2 + length)
    const before = options.get(code)
    options.set(code, before === undefined ? value : Buffer.concat([before, value]))
    at += 2 + length
  }
}

/** A name as an option, cut where an option ends. */
export const textOption = (text: string): Uint8Array => Buffer.from(text, 'utf8').subarray(0, LONGEST_OPTION)

export function addressOption(options: DhcpMessage['options'], code: number): string | undefined {
  const value = options.get(code)
  if (value === undefined || value.length < 4) return undefined
  const address = addressText(value.subarray(0, 4))
  return isIPv4(address) && address !== ANY ? address : undefined
}

export function secondsOption(options: DhcpMessage['options'], code: number): number | undefined {
  const value = options.get(code)
  return value?.length === 4 ? Buffer.from(value).readUInt32BE(0) : undefined
}
