import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { clientId } from '../../drivers/dhcp/identity.js'
import { termsFrom, leaseOf, termsOf } from '../../drivers/dhcp/terms.js'
import { OPTION } from '../../drivers/dhcp/wire/codes.js'
import { addressBytes, decodeMessage, encodeMessage, seconds, type DhcpMessage } from '../../drivers/dhcp/wire/message.js'
import { BROADCAST_ADDRESS, decodePacket, encodePacket } from '../../drivers/dhcp/wire/packet.js'

const MAC = '02:42:0a:4d:00:05'

const message = (options: [number, Uint8Array][], more: Partial<DhcpMessage> = {}): DhcpMessage => ({
  type: 'ack',
  xid: 0xdeadbeef,
  secs: 3,
  broadcast: true,
  clientAddress: '0.0.0.0',
  yourAddress: '10.77.0.50',
  mac: MAC,
  options: new Map(options),
  ...more,
})
/** What a server would send. */
const reply = (given: DhcpMessage): Buffer => {
  const bytes = encodeMessage(given)
  bytes[0] = 2
  return bytes
}
const granted: [number, Uint8Array][] = [
  [OPTION.serverId, addressBytes('10.77.0.1')],
  [OPTION.leaseTime, seconds(1000)],
  [OPTION.subnetMask, addressBytes('255.255.255.0')],
]
const terms = (options: [number, Uint8Array][], more: Partial<DhcpMessage> = {}) => termsOf(message(options, more), MAC, 0)

describe('messages', () => {
  it('come back as they were written', () => {
    const given = message([[OPTION.hostName, Buffer.from('box')], ...granted])
    const { options, ...rest } = decodeMessage(reply(given))!
    expect(rest).toEqual({ ...given, options: undefined })
    expect([...options].map(([code, value]) => [code, [...value]])).toEqual([
      [OPTION.messageType, [5]],
      ...[...given.options].map(([code, value]) => [code, [...value]]),
    ])
  })

  it('of a client are not taken for answers, and are long enough for old relays', () => {
    const bytes = encodeMessage(message([]))
    expect(bytes).toHaveLength(300)
    expect(decodeMessage(bytes)).toBeUndefined()
  })

  it('go on in the fields of the server name and the boot file, and in options that come twice', () => {
    const bytes = reply(
      message([
        [OPTION.overload, Uint8Array.of(3)],
        [OPTION.message, Buffer.from('one ')],
      ]),
    )
    bytes.set([OPTION.message, 4, ...Buffer.from('two '), OPTION.end], 108)
    bytes.set([OPTION.message, 5, ...Buffer.from('three'), OPTION.end], 44)
    expect(Buffer.from(decodeMessage(bytes)!.options.get(OPTION.message)!).toString()).toBe('one two three')
  })

  it('of any bytes throw nothing', () => {
    const valid = reply(message(granted))
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { maxLength: 12 }), fc.nat(valid.length), (edits, length) => {
        const bytes = Buffer.from(valid)
        for (const [at, value] of edits) bytes[at] = value
        const read = decodeMessage(bytes.subarray(0, length))
        if (read !== undefined) termsOf(read, MAC, 0)
      }),
    )
    fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => void [decodeMessage(bytes), decodePacket(bytes)]))
  })
})

describe('packets', () => {
  it('have checksums that add up', () => {
    const packet = encodePacket('10.77.0.50', BROADCAST_ADDRESS, Buffer.from('odd'))
    const words = (bytes: Uint8Array): number => {
      let total = 0
      for (let at = 0; at < bytes.length; at += 2) total += (bytes[at]! << 8) | (bytes[at + 1] ?? 0)
      while (total > 0xffff) total = (total & 0xffff) + (total >>> 16)
      return total
    }
    expect(words(packet.subarray(0, 20))).toBe(0xffff)
    const pseudo = Buffer.concat([packet.subarray(12, 20), Uint8Array.of(0, 17, 0, packet.length - 20), packet.subarray(20)])
    expect(words(pseudo)).toBe(0xffff)
  })

  it('for other ports, and parts of packets, are nobody’s', () => {
    const packet = encodePacket('10.77.0.1', BROADCAST_ADDRESS, Buffer.from('content'))
    expect(decodePacket(packet)).toBeUndefined()
    packet.writeUInt16BE(68, 22)
    expect(decodePacket(packet)).toEqual({ source: '10.77.0.1', payload: Buffer.from('content') })
    packet.writeUInt16BE(0x2000, 6)
    expect(decodePacket(packet)).toBeUndefined()
  })
})

describe('what a server grants', () => {
  it('is renewed after half of the time and asked of anybody after seven eighths, unless it says otherwise', () => {
    expect(terms(granted)).toMatchObject({ address: '10.77.0.50', prefix: 24, renew: 500_000, rebind: 875_000, expires: 1_000_000 })
    const times: [number, Uint8Array][] = [
      [OPTION.renewalTime, seconds(10)],
      [OPTION.rebindingTime, seconds(20)],
    ]
    expect(terms([...granted, ...times])).toMatchObject({ renew: 10_000, rebind: 20_000 })
    const nonsense: [number, Uint8Array][] = [
      [OPTION.renewalTime, seconds(900)],
      [OPTION.rebindingTime, seconds(5000)],
    ]
    expect(terms([...granted, ...nonsense])).toMatchObject({ renew: 500_000, rebind: 875_000 })
  })

  it('may be for ever, and then is never renewed', () => {
    const forever = terms([...granted.slice(0, 1), [OPTION.leaseTime, seconds(0xffffffff)]])!
    expect([forever.renew, forever.rebind, forever.expires]).toEqual([undefined, undefined, undefined])
  })

  it('is nothing without a server or a time', () => {
    expect(terms(granted.slice(1))).toBeUndefined()
    expect(terms(granted.filter(([code]) => code !== OPTION.leaseTime))).toBeUndefined()
    expect(terms(granted, { yourAddress: '0.0.0.0' })).toBeUndefined()
  })

  it('has the mask of the class without one, and the default route of classless routes rather than the router', () => {
    const bare = granted.slice(0, 2)
    expect([terms(bare)!.prefix, terms(bare, { yourAddress: '192.168.1.2' })!.prefix]).toEqual([8, 24])
    const router: [number, Uint8Array] = [OPTION.routers, addressBytes('10.77.0.1')]
    expect(terms([...granted, router])!.gateway).toBe('10.77.0.1')
    const routes = (...bytes: number[]): [number, Uint8Array] => [OPTION.classlessRoutes, Uint8Array.from(bytes)]
    expect(terms([...granted, router, routes(24, 10, 9, 8, 10, 77, 0, 9, 0, 10, 77, 0, 2)])!.gateway).toBe('10.77.0.2')
    expect(terms([...granted, router, routes(24, 10, 9, 8, 10, 77, 0, 9)])!.gateway).toBeUndefined()
  })

  it('is read back from the lease that is kept', () => {
    const lease = leaseOf(terms(granted)!, { pool: 'p', owner: 'o', address: '' })
    const { renew, rebind, expires, ...rest } = terms(granted)!
    // The record has the time of the clock, which goes on between writing and reading.
    const soon = (instant: number): unknown => expect.closeTo(instant, -2)
    expect(termsFrom(lease)).toEqual({ ...rest, gateway: undefined, renew: soon(renew!), rebind: soon(rebind!), expires: soon(expires!) })
    expect(termsFrom({ pool: 'p', owner: 'o', address: '10.0.0.2/24' })).toBeUndefined()
  })
})

describe('the id of a client', () => {
  it('is the endpoint’s own, or its MAC', () => {
    const [one, other] = ['a1', 'b2'].map((digits) => clientId('endpoint', digits.repeat(32), MAC))
    expect([one![0], one!.length]).toEqual([255, 23])
    expect(one).not.toEqual(other)
    expect(clientId('mac', 'a1'.repeat(32), MAC)).toEqual(Uint8Array.of(1, 0x02, 0x42, 0x0a, 0x4d, 0, 5))
  })
})
