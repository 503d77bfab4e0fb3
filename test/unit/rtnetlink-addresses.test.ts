import { isIPv4, isIPv6 } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalIp, ipToBytes, ipToText, macToBytes, macToText } from '../../src/kernel/addresses.js'
import { prefixLength, putNetwork } from '../../src/kernel/prefixes.js'

const refusal = (field: string): unknown => expect.objectContaining({ code: 'ERR_CNM_INVALID_ARGUMENT', field })

/** Text made of the characters of addresses: mostly malformed, sometimes not. */
const likeAddress = fc
  .array(
    fc.constantFrom('0', '1', '9', '25', '255', '256', 'a', 'F', 'ffff', '10000', '.', '.', ':', ':', '::', '%', '/', ' ', '1.2.3.4'),
    { maxLength: 16 },
  )
  .map((parts) => parts.join(''))
const bytes16 = fc.oneof(
  fc.uint8Array({ minLength: 16, maxLength: 16 }),
  // Runs of zeros, as real addresses have them.
  fc
    .array(fc.constantFrom([0, 0], [0, 0], [0, 1], [0xff, 0xff], [0x20, 0x01]), { minLength: 8, maxLength: 8 })
    .map((words) => Uint8Array.from(words.flat())),
)
const bytes4 = fc.uint8Array({ minLength: 4, maxLength: 4 })

/** The second opinion: what the URL parser makes of an IPv6 address (it knows no dotted tail in its output). */
const viaUrl = (text: string): string => new URL(`http://[${text}]/`).hostname.slice(1, -1)

describe('IP addresses', () => {
  it('are text and bytes of each other', () => {
    fc.assert(
      fc.property(fc.oneof(bytes4, bytes16), (bytes) => {
        expect(ipToBytes(ipToText(bytes))).toEqual(bytes)
      }),
      { numRuns: 5000 },
    )
  })

  it('are written as the URL parser writes them, but for mapped IPv4', () => {
    fc.assert(
      fc.property(bytes16, (bytes) => {
        const text = ipToText(bytes)
        if (text.startsWith('::ffff:') && text.includes('.')) return
        expect(text).toBe(viaUrl(text))
      }),
      { numRuns: 5000 },
    )
  })

  it('are accepted where Node accepts them, and nowhere else', () => {
    let accepted = 0
    fc.assert(
      fc.property(likeAddress, (text) => {
        const valid = isIPv4(text) || (isIPv6(text) && !text.includes('%'))
        if (valid) {
          accepted++
          expect(isIPv4(text) ? text : viaUrl(canonicalIp(text))).toBe(isIPv4(text) ? canonicalIp(text) : viaUrl(text))
        } else expect(() => ipToBytes(text, 'here')).toThrowError(refusal('here'))
      }),
      { numRuns: 10_000 },
    )
    expect(accepted).toBeGreaterThan(5)
  })

  it.each([
    ['10.0.0.2', '10.0.0.2'],
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['0:0:0:0:0:ffff:192.0.2.1', '::ffff:192.0.2.1'],
    ['::ffff:0:0', '::ffff:0.0.0.0'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['fe80:0:0:0:0:0:0:1', 'fe80::1'],
  ])('%s is canonically %s', (text, canonical) => {
    expect(canonicalIp(text)).toBe(canonical)
  })

  it.each([
    '',
    '1',
    '1.2.3',
    '1.2.3.4.5',
    '01.2.3.4',
    '1.2.3.256',
    '1.2.3.4 ',
    ' 1.2.3.4',
    '1.2.3.-4',
    '0x1.2.3.4',
    ':',
    ':::',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1::2::3',
    '1:2:3:4:5:6:7:8::',
    '::1:2:3:4:5:6:7:8',
    'fe80::1%eth0',
    '12345::',
    '::1.2.3',
    '1:2:3:4:5:6:7:1.2.3.4',
    '[::1]',
    '::g',
  ])('%j is none', (text) => {
    expect(() => ipToBytes(text)).toThrowError(refusal('address'))
  })

  it('that are no text are refused', () => {
    for (const value of [undefined, null, 5, {}, ['10.0.0.1']]) expect(() => ipToBytes(value as string)).toThrowError(refusal('address'))
  })

  it('of a wrong length have no text', () => {
    for (const length of [0, 1, 3, 5, 15, 17]) expect(ipToText(new Uint8Array(length))).toBe('')
    expect(ipToText(new Uint8Array(10), 8, 4)).toBe('')
  })
})

describe('MAC addresses', () => {
  it('are text and bytes of each other', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 6, maxLength: 6 }), (bytes) => {
        const text = macToText(bytes)
        expect(text).toMatch(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/)
        expect(macToBytes(text)).toEqual(bytes)
        expect(macToBytes(text.toUpperCase())).toEqual(bytes)
      }),
    )
  })

  it.each([
    '',
    '02:00:00:00:00',
    '02:00:00:00:00:0',
    '02:00:00:00:00:0g',
    '02-00-00-00-00-01',
    '02:00:00:00:00:01 ',
    '02:00:00:00:00:01:02',
    '020000000001',
    '2:0:0:0:0:1',
  ])('%j is none', (text) => {
    expect(() => macToBytes(text, 'mac')).toThrowError(refusal('mac'))
  })

  it('of a wrong length have no text', () => {
    for (const length of [0, 5, 7, 8, 20]) expect(macToText(new Uint8Array(length))).toBe('')
  })
})

describe('prefixes', () => {
  it.each([
    ['10.0.0.0/8', 8],
    ['10.0.0.1', 32],
    ['0.0.0.0/0', 0],
    ['fd00::/8', 8],
    ['fd00::1', 128],
    ['::/0', 0],
    ['fd00::1/128', 128],
  ])('%s has length %i', (text, length) => {
    expect(prefixLength(text, 'here')).toBe(length)
  })

  it.each([
    '10.0.0.0/',
    '10.0.0.0/33',
    '10.0.0.0/08',
    '10.0.0.0/1e1',
    '10.0.0.0/-1',
    '10.0.0.0/ 8',
    '10.0.0.0/8/8',
    'fd00::/129',
    'fd00::/0128',
    '10.0.0.0/1000',
  ])('%j has none', (text) => {
    expect(() => prefixLength(text, 'here')).toThrowError(refusal('here'))
  })

  it('of networks have no bits behind them', () => {
    fc.assert(
      fc.property(fc.oneof(bytes4, bytes16), fc.nat(128), (bytes, wanted) => {
        const length = Math.min(wanted, bytes.length * 8)
        const clear = bytes.every((byte, i) =>
          i * 8 >= length ? byte === 0 : length - i * 8 >= 8 || (byte & (0xff >> (length - i * 8))) === 0,
        )
        const attempt = (): void => putNetwork(`${ipToText(bytes)}/${length}`, new Uint8Array(20), 2, length, 'here')
        if (clear) attempt()
        else expect(attempt).toThrowError(refusal('here'))
      }),
      { numRuns: 5000 },
    )
    expect(() => putNetwork('10.1.2.3/12', new Uint8Array(4), 0, 12, 'here')).toThrowError(/10\.0\.0\.0\/12/)
  })
})
