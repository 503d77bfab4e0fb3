import type { TransactionContext } from '../../src/kernel/handler.js'
import type { Message } from '../../src/kernel/netlink/reader.js'
import type { NetlinkSocket } from '../../src/kernel/netlink/socket.js'
import type { MessageWriter } from '../../src/kernel/netlink/writer.js'
import type { Session } from '../../src/kernel/transaction/session.js'

/** What the kernel answered to one question: the messages, in order. */
export type Take = Message[]

type Parse = (message: Message) => unknown

/** Passes everything to the session, and keeps what sockets receive. */
export function recording(session: Session, tape: Take[]): TransactionContext {
  return withSockets(session, (socket) => ({
    dump(type: number, body: never, parse: Parse) {
      const take: Take = []
      tape.push(take)
      return socket.dump(type, body, (message) => {
        take.push({ ...message, payload: message.payload.slice() })
        return parse(message)
      })
    },
    request(...args: Parameters<NetlinkSocket['request']>) {
      const answer = socket.request(...args)
      tape.push(copy(answer.replies))
      return answer
    },
    exchange(writer: MessageWriter) {
      const answers = socket.exchange(writer)
      for (const { replies } of answers) tape.push(copy(replies))
      return answers
    },
  }))
}

/** Sockets answer from the tape, each question with the next take; a question that was not asked before gets nothing. */
export function replaying(session: Session, tape: readonly Take[]): TransactionContext {
  let position = 0
  const next = (): Take => tape[position++] ?? []
  return withSockets(session, () => ({
    dump: (_type: number, _body: never, parse: Parse) =>
      next()
        .map(parse)
        .filter((parsed) => parsed !== undefined),
    request: () => ({ sequence: 1, errno: 0, replies: next() }),
    exchange: (writer: MessageWriter) => writer.sequences.map((sequence) => ({ sequence, errno: 0, replies: next() })),
  }))
}

/** The session, except for what its sockets do. */
function withSockets(session: Session, replace: (socket: NetlinkSocket) => object): TransactionContext {
  const socketOf = (socket: NetlinkSocket): NetlinkSocket => {
    const replaced = replace(socket)
    return new Proxy(socket, { get: (target, name) => (name in replaced ? Reflect.get(replaced, name) : bound(target, name)) })
  }
  return new Proxy(session, {
    get(target, name) {
      if (name === 'socket') return (...args: Parameters<TransactionContext['socket']>) => socketOf(session.socket(...args))
      return bound(target, name)
    },
  })
}

function bound(target: object, name: string | symbol): unknown {
  const value: unknown = Reflect.get(target, name, target)
  return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value
}

const copy = (take: readonly Message[]): Take => take.map((message) => ({ ...message, payload: message.payload.slice() }))
