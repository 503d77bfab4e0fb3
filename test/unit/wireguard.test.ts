import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CnmError } from '../../src/contracts/errors.js'
import type { WireguardOptions, WireguardPeer } from '../../src/contracts/kernel-objects.js'
import { messages } from '../../src/kernel/netlink/reader.js'
import { MessageWriter } from '../../src/kernel/netlink/writer.js'
import { mergeDevice, parseDevice } from '../../src/kernel/wireguard/device.js'
import { configurationChange, wholeConfiguration, wireguardMessages, type DeviceChange } from '../../src/kernel/wireguard/index.js'

const FAMILY = 0x1f
const newKey = (): string => randomBytes(32).toString('base64')

function encode(change: DeviceChange): Uint8Array[] {
  const writer = new MessageWriter(1)
  for (const _ of wireguardMessages(() => writer, FAMILY, 5, change));
  return [...messages(writer.bytes())].map(({ payload, type }) => {
    expect(type).toBe(FAMILY)
    return payload
  })
}

const key = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('base64'))
const address = fc
  .tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.integer({ min: 0, max: 32 }))
  .map(([a, b, c, length]) => `10.${a}.${b}.${c}/${length}`)
const peer: fc.Arbitrary<WireguardPeer> = fc.record({
  publicKey: key,
  endpoint: fc.constantFrom('192.0.2.1:51820', '[2001:db8::1]:1'),
  keepalive: fc.nat(65535),
  allowedAddresses: fc.array(fc.oneof(address, fc.constant('fd00::/64')), { maxLength: 1500 }),
})

describe('WireGuard configuration messages', () => {
  it('say all of a configuration once, in messages that netlink can carry', () => {
    const property = fc.property(
      fc.uniqueArray(peer, { maxLength: 40, selector: ({ publicKey }) => publicKey }),
      fc.nat(65535),
      fc.nat(),
      (peers, listenPort, firewallMark) => {
        const payloads = encode(wholeConfiguration({ listenPort, firewallMark, peers }))
        for (const payload of payloads) expect(payload.length).toBeLessThan(65_000)
        const device = mergeDevice(payloads.map(parseDevice))
        expect(
          device.peers.map(({ publicKey, endpoint, keepalive, allowedAddresses }) => ({
            publicKey,
            endpoint,
            keepalive,
            allowedAddresses,
          })),
        ).toEqual(peers)
        expect(device).toMatchObject({ listenPort, firewallMark })
      },
    )
    fc.assert(property, { numRuns: 30 })
  })

  it('touch only what differs', () => {
    const [a, b, c, d] = [newKey(), newKey(), newKey(), newKey()]
    const from: WireguardOptions = {
      privateKey: a,
      listenPort: 1,
      peers: [
        { publicKey: b, allowedAddresses: ['10.0.0.0/24', 'fd00::/64'] },
        { publicKey: c, allowedAddresses: [], endpoint: '192.0.2.1:1' },
        { publicKey: d, allowedAddresses: [] },
      ],
    }
    const to: WireguardOptions = {
      privateKey: a,
      firewallMark: 7,
      peers: [
        { publicKey: b, allowedAddresses: ['fd00::/64', '10.0.0.0/24'] },
        { publicKey: c, allowedAddresses: [] },
      ],
    }
    const cNow = { publicKey: c, allowedAddresses: [] }
    expect(configurationChange(from, to)).toEqual({
      listenPort: null,
      firewallMark: 7,
      peers: [{ remove: d }, { remove: c }, { set: cNow }],
    })
    expect(configurationChange(from, from)).toEqual({ peers: [] })
  })

  it('never show a key in an error', () => {
    const secret = `${'s3cr3t'.repeat(8)}`
    for (const options of [{ privateKey: secret }, { peers: [{ publicKey: newKey(), presharedKey: secret, allowedAddresses: [] }] }]) {
      const error = failure(() => encode(wholeConfiguration(options)))
      expect(error).toMatchObject({ code: 'ERR_CNM_INVALID_ARGUMENT' })
      expect(error.field).toMatch(/privateKey|presharedKey/)
      expect(JSON.stringify(error) + error.stack).not.toContain(secret)
    }
  })

  it.each([
    ['endpoint', { publicKey: newKey(), allowedAddresses: [], endpoint: 'host.example:51820' }],
    ['endpoint', { publicKey: newKey(), allowedAddresses: [], endpoint: '192.0.2.1:0' }],
    ['endpoint', { publicKey: newKey(), allowedAddresses: [], endpoint: '2001:db8::1:51820' }],
    ['peers.allowedAddresses', { publicKey: newKey(), allowedAddresses: ['10.0.0.0/33'] }],
    ['peers.keepalive', { publicKey: newKey(), allowedAddresses: [], keepalive: 70000 }],
  ])('refuse a wrong %s', (field, wrong) => {
    expect(() => encode(wholeConfiguration({ peers: [wrong] }))).toThrow(
      expect.objectContaining({ code: 'ERR_CNM_INVALID_ARGUMENT', field }),
    )
  })
})

function failure(body: () => unknown): CnmError {
  try {
    body()
  } catch (error) {
    if (error instanceof CnmError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}
