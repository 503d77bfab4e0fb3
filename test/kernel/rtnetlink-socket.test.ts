import { afterEach, describe, expect, it } from 'vitest'
import { CnmError } from '../../src/contracts/errors.js'
import { NetlinkSocket } from '../../src/kernel/netlink/socket.js'
import { text, u32 } from '../../src/kernel/netlink/reader.js'
import { NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, type MessageWriter } from '../../src/kernel/netlink/writer.js'
import { setSocketOption } from '../../src/kernel/syscalls.js'

const RTM_NEWLINK = 16
const RTM_GETLINK = 18
const RTM_NEWADDR = 20
const ENODEV = 19
const SOL_SOCKET = 1
const SO_RCVBUF = 8

let open: NetlinkSocket[] = []
const socket = (): NetlinkSocket => {
  const made = new NetlinkSocket(0)
  open.push(made)
  return made
}
afterEach(() => {
  for (const one of open) one.close()
  open = []
})

const link = (writer: MessageWriter, type: number, flags: number, index: number): MessageWriter =>
  writer
    .begin(type, flags | NLM_F_ACK)
    .u8(0)
    .u8(0)
    .u16(0)
    .i32(index)
    .u32(0)
    .u32(0)

describe('exchange', () => {
  it('returns one answer per message, in order, whichever of them the kernel refused', () => {
    const one = socket()
    const writer = one.writer()
    const missing = 1_000_000
    for (const index of [1, missing, 1, missing + 1, 1]) link(writer, RTM_GETLINK, 0, index).end()
    const answers = one.exchange(writer)
    expect(answers.map((answer) => answer.errno)).toEqual([0, ENODEV, 0, ENODEV, 0])
    expect(answers.map((answer) => answer.replies.length)).toEqual([1, 0, 1, 0, 1])
    expect(answers.map((answer) => answer.sequence)).toEqual([1, 2, 3, 4, 5])
    expect(answers.filter((answer) => answer.replies.length === 1).map((answer) => u32(answer.replies[0]!.payload, 4))).toEqual([1, 1, 1])
  })

  it('gives the text that the kernel has for a refusal', () => {
    const one = socket()
    const answer = one.request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, (writer) =>
      writer
        .u8(0)
        .u8(0)
        .u16(0)
        .i32(0)
        .u32(0)
        .u32(0)
        .nest(18, () => writer.attrString(1, 'no-such-kind')),
    )
    expect(answer.errno).toBe(95)
    expect(answer.text).toBe('Unknown device type')
  })

  it('takes more refusals than a receive queue holds', () => {
    const one = socket()
    const writer = one.writer()
    const count = 5000
    for (let i = 0; i < count; i++) link(writer, RTM_GETLINK, 0, i % 10 === 0 ? 1 : 1_000_000 + i).end()
    const answers = one.exchange(writer)
    expect(answers).toHaveLength(count)
    expect(answers.filter((answer) => answer.errno === ENODEV)).toHaveLength(count * 0.9)
    expect(answers.filter((answer) => answer.replies.length === 1)).toHaveLength(count / 10)
  })

  it('sends messages that together exceed the send buffer', () => {
    const one = socket()
    const writer = one.writer()
    const alias = 'x'.repeat(40_000)
    for (let i = 0; i < 12; i++) link(writer, RTM_GETLINK, 0, 1).attrString(999, alias).end()
    expect(writer.bytes().length).toBeGreaterThan(400_000)
    const answers = one.exchange(writer)
    expect(answers).toHaveLength(12)
    // Strict checking refuses the attribute, message by message.
    expect(new Set(answers.map((answer) => answer.errno))).toEqual(new Set([22]))
  })

  it('says so when answers were lost, and works on', () => {
    const one = socket()
    setSocketOption(one.fd, SOL_SOCKET, SO_RCVBUF, 1)
    const writer = one.writer()
    for (let i = 0; i < 100; i++) link(writer, RTM_GETLINK, 0, 1_000_000).end()
    expect(() => one.exchange(writer)).toThrowError(expect.objectContaining({ code: 'ERR_CNM_TRUNCATED' }))
    const again = one.request(RTM_GETLINK, 0, (body) => body.u8(0).u8(0).u16(0).i32(1_000_000).u32(0).u32(0))
    expect(again.errno).toBe(ENODEV)
  })

  it('drops a message that was begun and not ended', () => {
    const one = socket()
    const writer = one.writer()
    link(writer, RTM_GETLINK, 0, 1).end()
    link(writer, RTM_NEWADDR, 0, 1)
    expect(one.exchange(writer)).toHaveLength(1)
    const second = one.writer()
    link(second, RTM_NEWADDR, 0, 1)
    link(second, RTM_GETLINK, 0, 1).end()
    const [answer] = one.exchange(second)
    expect(answer).toMatchObject({ errno: 0, replies: [expect.objectContaining({ type: RTM_NEWLINK })] })
  })
})

describe('dump', () => {
  const body = (writer: MessageWriter): MessageWriter => writer.u8(0).u8(0).u16(0).i32(0).u32(0).u32(0)

  it('leaves nothing in the queue when the parser throws', () => {
    const one = socket()
    expect(() =>
      one.dump(RTM_GETLINK, body, () => {
        throw new CnmError('ERR_CNM_KERNEL', 'parser')
      }),
    ).toThrowError('parser')
    const names = one.dump(RTM_GETLINK, body, (message) => text(message.payload.subarray(20)))
    expect(names.length).toBeGreaterThan(0)
  })

  it('reports what the kernel refuses', () => {
    const one = socket()
    expect(() =>
      one.dump(
        RTM_GETLINK,
        (writer) => writer.u8(0).u8(0).u16(7).i32(0).u32(0).u32(0),
        () => undefined,
      ),
    ).toThrowError(expect.objectContaining({ errno: 22, kernelText: expect.stringContaining('Invalid') }))
    expect(one.dump(RTM_GETLINK, body, () => 1).length).toBeGreaterThan(0)
  })
})
