import packet from 'dns-packet'
import { describe, expect, it } from 'vitest'
import { readAnswer, writeForwarded } from '../../drivers/dns/forward/answer.js'
import { LocalAnswers, NOT_OURS } from '../../drivers/dns/local/answer.js'
import { NetworkIndex } from '../../drivers/dns/local/network-index.js'
import { SandboxNames } from '../../drivers/dns/local/sandbox-names.js'
import { IGNORE, Question } from '../../drivers/dns/wire/question.js'
import { refuse, Response, udpLimit } from '../../drivers/dns/wire/response.js'

const PACKETS = 1_000_000
const ANSWERS = 200_000
const SLOT = 4096
const QUESTIONS: [string, string][] = [
  ['web', 'A'],
  ['many', 'AAAA'],
  ['5.0.1.10.in-addr.arpa', 'PTR'],
  ['_http._tcp.web', 'SRV'],
  ['web.front', 'ANY'],
]

/** Always the same numbers (xorshift), so that a failure can be repeated. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

function names(): SandboxNames {
  const network = new NetworkIndex()
  network.load({
    id: 'n',
    name: 'front',
    endpoints: [
      { id: 'e', names: ['web'], addresses: ['10.1.0.5', 'fd00::5'], ports: [{ name: 'http', protocol: 'tcp', port: 80 }] },
      ...[...Array(300).keys()].map((i) => ({ id: `m${i}`, names: ['many'], addresses: [`10.2.${i >> 8}.${i & 255}`, `fd00::1:${i}`] })),
    ],
  })
  return new SandboxNames({ networks: ['n'], forwarding: { to: 'none' } }, () => network)
}

const opt = { type: 'OPT', name: '.', udpPayloadSize: 1232, flags: 0, options: [] }
const good = (name: string, type: string, edns: boolean): Buffer =>
  packet.encode({ type: 'query', id: 1, flags: 0x100, questions: [{ type, name }], additionals: edns ? [opt] : [] })

describe('malformed messages', () => {
  it(`${PACKETS} questions: never an exception, never an answer beyond what the client takes`, () => {
    const random = randomNumbers(42)
    const view = names()
    const local = new LocalAnswers()
    const response = new Response()
    const question = new Question()
    const seeds = QUESTIONS.flatMap(([name, type]) => [good(name, type, false), good(name, type, true)])
    const bytes = Buffer.alloc(SLOT + 64)
    const outcomes = { ignored: 0, refused: 0, answered: 0, others: 0 }
    const one = (seed: Buffer, change: boolean): number => {
      // What is behind the message is not to be read, and what is behind the slot not to be written.
      bytes.fill(0xee)
      seed.copy(bytes)
      let length = seed.length
      if (change) {
        for (let k = random(5); k >= 0; k--) bytes[random(seed.length)] = random(256)
        if (random(4) === 0) length = random(seed.length + 40)
      }
      const code = question.parse(bytes, 0, length)
      let answer: number
      if (code === IGNORE) {
        outcomes.ignored++
        return 0
      }
      const limit = udpLimit(question)
      if (code !== 0) {
        outcomes.refused++
        answer = refuse(response, bytes, question, code)
      } else answer = local.answer(bytes, question, limit, view, response)
      if (answer === NOT_OURS) {
        outcomes.others++
        return 0
      }
      outcomes.answered++
      if (answer > limit || answer < 12 || bytes[SLOT] !== 0xee) throw new Error(`answer of ${answer} bytes to ${seed.toString('hex')}`)
      return answer
    }
    for (let i = 0; i < PACKETS / 2; i++) one(seeds[i % seeds.length]!, true)
    const before = process.memoryUsage()
    for (let i = 0; i < PACKETS / 2; i++) one(seeds[i % seeds.length]!, true)
    const after = process.memoryUsage()
    expect(after.external - before.external).toBeLessThan(1 << 20)
    for (const count of Object.values(outcomes)) expect(count).toBeGreaterThan(PACKETS / 200)
    const length = one(seeds[0]!, false)
    expect(packet.decode(bytes.subarray(0, length)).answers?.map(({ data }) => data)).toEqual(['10.1.0.5'])
  }, 120_000)

  it(`${ANSWERS} answers of servers: never an exception, never more than the client takes`, () => {
    const random = randomNumbers(7)
    const answers = [...Array(20).keys()].map((i) => ({
      type: 'A',
      name: i % 2 ? 'www.example.test' : 'x.test',
      ttl: 60,
      data: `198.51.100.${i}`,
    }))
    const server = packet.encode({
      type: 'response',
      id: 1,
      flags: 0x180,
      questions: [{ type: 'A', name: 'www.example.test' }],
      answers,
      additionals: [opt],
    })
    const asked = good('www.example.test', 'A', true)
    const questionEnd = asked.indexOf(0, 12) + 5
    const bytes = Buffer.alloc(SLOT * 2)
    const question = new Question()
    let malformed = 0
    for (let i = 0; i < ANSWERS; i++) {
      const message = Buffer.from(server)
      if (i > 0) for (let k = random(4); k >= 0; k--) message[questionEnd + random(message.length - questionEnd)] = random(256)
      const length = i > 0 && random(4) === 0 ? questionEnd + random(message.length - questionEnd) : message.length
      const answer = readAnswer(message, 0, length, questionEnd, 1000)
      if (answer === undefined) {
        malformed++
        continue
      }
      bytes.fill(0xee)
      asked.copy(bytes)
      question.parse(bytes, 0, asked.length)
      const limit = 512 + random(1000)
      const written = writeForwarded(bytes, question, limit, answer, 1000 + random(100_000))
      if (written > limit || bytes[limit] !== 0xee) throw new Error(`${written} bytes for ${limit}: ${message.toString('hex')}`)
      if (i === 0) expect(packet.decode(bytes.subarray(0, written)).answers).toHaveLength(20)
    }
    expect(malformed).toBeGreaterThan(ANSWERS / 20)
  }, 60_000)
})
