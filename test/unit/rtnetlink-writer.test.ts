import { describe, expect, it } from 'vitest'
import { attributeMap, attributes, attributeTable, messages, text, u32 } from '../../src/kernel/netlink/reader.js'
import { MessageWriter, NLA_F_NESTED, NLM_F_ACK } from '../../src/kernel/netlink/writer.js'

const RTM_NEWLINK = 16

/** @returns payloads of the finished messages */
const written = (writer: MessageWriter): Uint8Array[] => [...messages(writer.bytes())].map(({ payload }) => payload)

describe('a message', () => {
  it('that was begun and not ended is no part of what is sent', () => {
    const writer = new MessageWriter(1)
    writer.begin(RTM_NEWLINK, 0).u32(1).end()
    writer.begin(RTM_NEWLINK, 0).u32(2).attrString(3, 'half')
    expect(written(writer).map((payload) => u32(payload))).toEqual([1])
    writer.begin(RTM_NEWLINK, 0).u32(3).end()
    expect(written(writer).map((payload) => u32(payload))).toEqual([1, 3])
    expect(writer.sequences).toEqual([1, 2])
    writer.begin(RTM_NEWLINK, 0).u32(4).drop()
    expect(written(writer)).toHaveLength(2)
    expect(writer.reset(9).begin(RTM_NEWLINK, 0).u32(5).end().sequences).toEqual([9])
    expect(written(writer).map((payload) => u32(payload))).toEqual([5])
  })

  it('leaves no old bytes in reused memory', () => {
    const writer = new MessageWriter(1, 64)
    writer.begin(RTM_NEWLINK, 0).attrBytes(1, new Uint8Array(40).fill(0xff)).end().reset(1)
    writer.begin(RTM_NEWLINK, 0).attrString(1, 'a').attrU8(2, 1).attrString(3, 'ä').end()
    const [payload] = written(writer)
    expect([...attributes(payload!)].map(({ value }) => Buffer.from(value).toString('hex'))).toEqual(['6100', '01', 'c3a400'])
    // What pads an attribute to four bytes is zero too.
    expect(Buffer.from(payload!).toString('hex')).not.toContain('ff')
  })
})

describe('attributes', () => {
  it.each(['', 'plain', 'with ä and ö', '名前', 'a'.repeat(5000), `${'a'.repeat(5000)}é`])('hold the text %j', (value) => {
    const writer = new MessageWriter(1)
    writer.begin(RTM_NEWLINK, 0).attrU8(9, 1).attrString(3, value).attrU32(4, 7).end()
    const map = attributeMap(written(writer)[0]!)
    expect(text(map.get(3)!)).toBe(value)
    expect(u32(map.get(4)!)).toBe(7)
  })

  it('nest, also in structures that begin with their length', () => {
    const writer = new MessageWriter(1)
    writer.begin(RTM_NEWLINK, 0)
    const outer = writer.nestBegin(1 | NLA_F_NESTED)
    const struct = writer.structBegin()
    writer.u8(1).u8(2).i32(-1).attrU16(5, 6)
    writer.structEnd(struct).nestEnd(outer).attrU8(2, 9).end()
    const table = attributeTable(written(writer)[0]!, 0, 2)
    expect(Buffer.from(table[1]!).toString('hex')).toBe('10000102ffffffff0600050006000000')
    expect(table[2]).toEqual(Uint8Array.of(9))
  })

  it('that are too long are refused, not cut', () => {
    const writer = new MessageWriter(1)
    writer.begin(RTM_NEWLINK, 0)
    expect(() => writer.attrBytes(1, new Uint8Array(65_532))).toThrowError(expect.objectContaining({ code: 'ERR_CNM_INVALID_ARGUMENT' }))
    const nest = writer.nestBegin(1)
    for (let i = 0; i < 10_000; i++) writer.attrU32(1, i)
    expect(() => writer.nestEnd(nest)).toThrowError(expect.objectContaining({ code: 'ERR_CNM_INVALID_ARGUMENT' }))
  })

  it('in a table are the last of their number, without those that are too high or cut', () => {
    const writer = new MessageWriter(1)
    writer
      .begin(RTM_NEWLINK, 0)
      .attrU8(1, 1)
      .attrU8(1, 2)
      .attrU8(7, 3)
      .attrU8(3 | NLA_F_NESTED, 4)
      .attrU32(2, 5)
      .end()
    const payload = written(writer)[0]!
    expect(attributeTable(payload.subarray(0, payload.length - 1), 0, 3)).toEqual([
      undefined,
      Uint8Array.of(2),
      undefined,
      Uint8Array.of(4),
    ])
    expect(attributeTable(payload, payload.length + 50, 3)).toEqual([undefined, undefined, undefined, undefined])
  })
})

describe('parts', () => {
  const writerWith = (count: number, size: number): MessageWriter => {
    const writer = new MessageWriter(100)
    for (let i = 0; i < count; i++) writer.begin(RTM_NEWLINK, NLM_F_ACK).attrBytes(1, new Uint8Array(size)).end()
    return writer
  }

  it.each([
    [1, 10, 128],
    [128, 10, 128],
    [129, 10, 128],
    [300, 10, 7],
    [10, 30_000, 128],
    [3, 65_000, 128],
  ])('of %i messages of %i bytes, %i at once', (count, size, atOnce) => {
    const writer = writerWith(count, size)
    const parts = writer.parts(atOnce)
    const all = parts.map(({ bytes }) => [...messages(bytes)])
    expect(all.flat().map(({ sequence }) => sequence)).toEqual(writer.sequences)
    parts.forEach(({ bytes, last }, i) => {
      const inPart = all[i]!
      expect(inPart.length).toBeLessThanOrEqual(atOnce)
      expect(bytes.length <= 65_536 || inPart.length === 1).toBe(true)
      expect(inPart.map(({ flags }) => (flags & NLM_F_ACK) !== 0)).toEqual(inPart.map((_, n) => n === inPart.length - 1))
      expect(inPart.at(-1)!.sequence).toBe(last)
    })
  })
})
