import { describe, expect, it } from 'vitest'
import { checkFilter, matches, writeFilter } from '../../src/kernel/conntrack/filter.js'
import type { Flow } from '../../src/kernel/conntrack/index.js'
import { attributeMap, messages, u32 } from '../../src/kernel/netlink/reader.js'
import { MessageWriter } from '../../src/kernel/netlink/writer.js'

const flow: Flow = {
  family: 4,
  original: { source: '10.0.0.1', destination: '10.0.0.2', protocol: 17, sourcePort: 1, destinationPort: 53 },
  reply: { source: '10.0.0.3', destination: '10.0.0.1', protocol: 17, sourcePort: 5353, destinationPort: 1 },
  id: 1,
  zone: 0,
  mark: 0x12,
  status: 0,
}

describe('a filter of connections', () => {
  it.each([
    [{}, true],
    [{ family: 6 as const }, false],
    [{ mark: { value: 0x10, mask: 0xf0 } }, true],
    [{ mark: { value: 0x13 } }, false],
    [{ zone: 1 }, false],
    [{ original: { destination: '10.0.0.2', protocol: 'udp' as const, destinationPort: 53 } }, true],
    [{ original: { destination: '10.0.0.3' } }, false],
    [{ reply: { source: '10.0.0.3', protocol: 17, sourcePort: 5353 } }, true],
    [{ reply: { protocol: 'tcp' as const } }, false],
  ])('%o holds for the flow: %s', (filter, expected) => {
    expect(matches(flow, checkFilter(filter))).toBe(expected)
  })

  const flags = (filter: Parameters<typeof checkFilter>[0]): number | undefined => {
    const writer = new MessageWriter(1)
    writer.begin(0x0101, 0)
    writeFilter(writer, checkFilter(filter))
    writer.end()
    const [message] = [...messages(writer.bytes())]
    const nested = attributeMap(message!.payload, 4).get(25)
    return nested === undefined ? undefined : u32(attributeMap(nested).get(1) ?? new Uint8Array(0))
  }

  it('asks the kernel to compare IPv4 addresses and ports', () => {
    expect(flags({ original: { source: '10.0.0.1', destination: '10.0.0.2', protocol: 'udp', sourcePort: 1, destinationPort: 2 } })).toBe(
      0b111011,
    )
  })

  it('never asks it to compare IPv6 addresses, which it does the wrong way round', () => {
    expect(flags({ original: { source: 'fd00::1', protocol: 'udp', destinationPort: 2 } })).toBe(0b101000)
    expect(flags({ original: { source: 'fd00::1' } })).toBeUndefined()
  })

  it.each([
    ['original.source', { original: { source: 'fd00::1%eth0' } }],
    ['original.sourcePort', { original: { protocol: 'udp' as const, sourcePort: 65536 } }],
    ['protocol', { reply: { protocol: 'carrier pigeon' as 'udp' } }],
    ['family', { original: { source: '10.0.0.1' }, reply: { source: 'fd00::1' } }],
  ])('refuses a wrong %s', (field, filter) => {
    expect(() => checkFilter(filter)).toThrow(expect.objectContaining({ code: 'ERR_CNM_INVALID_ARGUMENT', field }))
  })
})
