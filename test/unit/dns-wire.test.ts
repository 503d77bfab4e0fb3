import packet from 'dns-packet'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { answersQuestion, buildQuery, readAnswer, writeForwarded } from '../../drivers/dns/forward/answer.js'
import { addressBytes, reverseName } from '../../drivers/dns/local/addresses.js'
import { FORMERR, NOERROR, NOTIMP } from '../../drivers/dns/wire/constants.js'
import { lowerCase, toText, toWireName } from '../../drivers/dns/wire/names.js'
import { IGNORE, Question } from '../../drivers/dns/wire/question.js'

const label = fc.stringMatching(/^[a-zA-Z0-9_][a-zA-Z0-9_-]{0,30}$/)
const name = fc.array(label, { minLength: 1, maxLength: 5 }).map((labels) => labels.join('.'))
const opt = (more = {}) => ({ type: 'OPT', name: '.', udpPayloadSize: 1232, flags: 0, options: [], ...more })

describe('questions', () => {
  it('are read as another codec writes them', () => {
    fc.assert(
      fc.property(
        name,
        fc.constantFrom('A', 'AAAA', 'PTR', 'SRV', 'TXT'),
        fc.boolean(),
        fc.integer({ min: 1, max: 0xffff }),
        (text, type, edns, id) => {
          const additionals = edns ? [opt({ udpPayloadSize: id, flags: 0x8000 })] : []
          const bytes = packet.encode({ type: 'query', id, flags: 0x100, questions: [{ type, name: text }], additionals })
          const question = new Question()
          expect(question.parse(bytes, 0, bytes.length)).toBe(NOERROR)
          expect(question.name).toBe(toWireName(text.toLowerCase()))
          expect([question.edns, question.dnssecOk, question.payload]).toEqual([edns, edns, edns ? id : 0])
          expect(question.recursionDesired).toBe(true)
          expect(toText(question.name)).toBe(text.toLowerCase())
        },
      ),
    )
  })

  it('are read at any offset', () => {
    const message = packet.encode({ type: 'query', id: 9, questions: [{ type: 'A', name: 'web.front' }] })
    const bytes = Buffer.concat([Buffer.alloc(100, 0xff), message, Buffer.alloc(50, 0xff)])
    const question = new Question()
    expect(question.parse(bytes, 100, message.length)).toBe(NOERROR)
    expect([question.start, question.end]).toEqual([100, 100 + message.length])
  })

  const plain = packet.encode({ type: 'query', id: 9, flags: 0x100, questions: [{ type: 'A', name: 'web' }] })
  const changed = (change: (bytes: Buffer) => Buffer | void): Buffer => {
    const bytes = Buffer.from(plain)
    return change(bytes) ?? bytes
  }
  it.each<[string, Buffer, number]>([
    ['no header', plain.subarray(0, 11), IGNORE],
    ['an answer', changed((bytes) => void (bytes[2]! |= 0x80)), IGNORE],
    ['an update', changed((bytes) => void (bytes[2] = 5 << 3)), NOTIMP],
    ['no question', changed((bytes) => void (bytes[5] = 0)), FORMERR],
    ['two questions', changed((bytes) => void (bytes[5] = 2)), FORMERR],
    ['records in the answer section', changed((bytes) => void (bytes[7] = 1)), FORMERR],
    ['a name without end', plain.subarray(0, 15), FORMERR],
    ['no type', plain.subarray(0, 17), FORMERR],
    ['a compressed name', changed((bytes) => void bytes.set([0xc0, 12], 12)), FORMERR],
    ['a label too long', changed((bytes) => void (bytes[12] = 64)), FORMERR],
    ['bytes behind the end', changed((bytes) => Buffer.concat([bytes, Buffer.from([0])])), FORMERR],
    ['a missing additional record', changed((bytes) => void (bytes[11] = 1)), FORMERR],
    ['two OPT records', packet.encode({ type: 'query', questions: [{ type: 'A', name: 'web' }], additionals: [opt(), opt()] }), FORMERR],
    [
      'a name of 256 bytes',
      packet.encode({ type: 'query', questions: [{ type: 'A', name: Array(4).fill('a'.repeat(63)).join('.') }] }),
      FORMERR,
    ],
  ])('%s', (_what, bytes, code) => {
    expect(new Question().parse(bytes, 0, bytes.length)).toBe(code)
  })
})

describe('names', () => {
  it('are unambiguous: a dot inside a label is no border', () => {
    const bytes = Buffer.from('0001010000010000000000000361' + '2e62' + '00' + '00010001', 'hex')
    const question = new Question()
    expect(question.parse(bytes, 0, bytes.length)).toBe(NOERROR)
    expect(question.name).not.toBe(toWireName('a.b'))
    expect(toText(question.name)).toBe('a\\046b')
  })

  it('take no more than DNS allows', () => {
    expect(toWireName('a'.repeat(64))).toBeUndefined()
    expect(toWireName('a..b')).toBeUndefined()
    expect(toWireName('bücher')).toBeUndefined()
    expect(toWireName(Array(4).fill('a'.repeat(63)).join('.'))).toBeUndefined()
    expect(toWireName([...Array(3).fill('a'.repeat(63)), 'a'.repeat(61)].join('.'))).toHaveLength(254)
    expect(lowerCase(toWireName('WeB.Front')!)).toBe('\x03web\x05front')
  })

  it('of addresses', () => {
    const reverse = (text: string): string => toText(reverseName(addressBytes(text)!))
    expect(reverse('10.1.0.5/24')).toBe('5.0.1.10.in-addr.arpa')
    expect(reverse('2001:db8::567:89ab')).toBe('b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa')
    expect(Buffer.from(addressBytes('::ffff:192.0.2.1')!).toString('hex')).toBe('00000000000000000000ffffc0000201')
    expect(addressBytes('10.1.0')).toBeUndefined()
  })
})

describe('answers of servers', () => {
  const ask = (text: string, edns: boolean): Buffer =>
    packet.encode({ type: 'query', id: 7, flags: 0x110, questions: [{ type: 'A', name: text }], additionals: edns ? [opt()] : [] })
  const headOf = (bytes: Buffer): Buffer => bytes.subarray(0, bytes.indexOf(0, 12) + 5)
  const serve = (text: string, records: number, more = {}): Buffer =>
    packet.encode({
      type: 'response',
      id: 7,
      flags: 0x1a0,
      questions: [{ type: 'A', name: text }],
      answers: [...Array(records).keys()].map((i) => ({ type: 'A', name: text, ttl: 100 + i, data: `198.51.100.${i}` })),
      additionals: [opt()],
      ...more,
    })
  const deliver = (question: Buffer, answer: Buffer, limit: number, age = 0) => {
    const read = readAnswer(answer, 0, answer.length, headOf(question).length, 5000)!
    const bytes = Buffer.alloc(4096)
    question.copy(bytes)
    const asked = new Question()
    asked.parse(bytes, 0, question.length)
    const length = writeForwarded(bytes, asked, limit, read, 5000 + age * 1000)
    return { decoded: packet.decode(bytes.subarray(0, length)), flags: bytes.readUInt16BE(2), length, read }
  }

  it("lose the server's OPT, and get ours where the client sent one", () => {
    expect(deliver(ask('x.test', false), serve('x.test', 1), 512).decoded.additionals).toEqual([])
    expect(deliver(ask('x.test', true), serve('x.test', 1), 512).decoded.additionals).toMatchObject([{ type: 'OPT', udpPayloadSize: 1232 }])
  })

  it('grow older, down to zero', () => {
    expect(deliver(ask('x.test', false), serve('x.test', 2), 512, 40).decoded.answers!.map(({ ttl }) => ttl)).toEqual([60, 61])
    expect(deliver(ask('x.test', false), serve('x.test', 2), 512, 500).decoded.answers!.map(({ ttl }) => ttl)).toEqual([0, 0])
  })

  it('are cut between records', () => {
    const { decoded, flags, length } = deliver(ask('x.test', true), serve('x.test', 60), 512)
    expect(flags & 0x200).toBe(0x200)
    expect(length).toBeLessThanOrEqual(512)
    expect(decoded.answers!.length).toBe(Math.floor((512 - 24 - 11) / 22))
  })

  it('say how long a denial holds', () => {
    const soa = {
      type: 'SOA',
      name: 'test',
      ttl: 80,
      data: { mname: 'a', rname: 'b', serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 30 },
    }
    const empty = serve('x.test', 0, { authorities: [soa] })
    expect(deliver(ask('x.test', false), empty, 512).read).toMatchObject({ denial: true, ttl: 30 })
    expect(deliver(ask('x.test', false), serve('x.test', 0), 512).read).toMatchObject({ denial: true, ttl: 0 })
    expect(deliver(ask('x.test', false), serve('x.test', 3), 512).read).toMatchObject({ denial: false, ttl: 100 })
  })

  it('a CNAME alone is a denial, with what it leads to it is none', () => {
    const alias = { type: 'CNAME', name: 'x.test', ttl: 50, data: 'y.test' }
    const address = { type: 'A', name: 'y.test', ttl: 20, data: '198.51.100.1' }
    expect(deliver(ask('x.test', false), serve('x.test', 0, { answers: [alias] }), 512).read.denial).toBe(true)
    expect(deliver(ask('x.test', false), serve('x.test', 0, { answers: [alias, address] }), 512).read).toMatchObject({
      denial: false,
      ttl: 20,
    })
  })

  it('belong to the question in all of its parts', () => {
    const sent = Buffer.alloc(512)
    const head = headOf(ask('X.test', false))
    const length = buildQuery(sent, head, 7, true, true)
    expect(packet.decode(sent.subarray(0, length))).toMatchObject({ id: 7, additionals: [{ flag_do: true, udpPayloadSize: 1232 }] })
    const same = (bytes: Buffer, exact = false): boolean => answersQuestion(bytes, 0, bytes.length, head, exact)
    expect(same(serve('x.test', 1))).toBe(true)
    expect(same(serve('x.test', 1), true)).toBe(false)
    expect(same(serve('X.test', 1), true)).toBe(true)
    expect(same(serve('y.test', 1))).toBe(false)
    expect(same(serve('x.test', 1, { questions: [{ type: 'AAAA', name: 'x.test' }] }))).toBe(false)
    expect(same(serve('x.test', 1, { questions: [] }))).toBe(false)
    expect(same(ask('x.test', false))).toBe(false)
    expect(same(serve('x.test', 1).subarray(0, 14))).toBe(false)
  })
})
