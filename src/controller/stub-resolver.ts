import { createSocket, type Socket } from 'node:dgram'
import { randomInt } from 'node:crypto'
import packet, { type ResourceRecord } from 'dns-packet'
import type { Sandbox } from './sandbox.js'

const RESOLVER = '127.0.0.11'
const ATTEMPTS = 2
/** As long as the resolver itself may take, and a little. */
const TIMEOUT_MS = 4500

/** Asks a sandbox's resolver from inside the sandbox, as its programs do. Addresses of both families, IPv4 first. */
export async function askResolver(sandbox: Sandbox, name: string, signal?: AbortSignal): Promise<string[]> {
  const { fd } = await sandbox.core.kernel.socket(sandbox.record.namespace, { type: 'udp', address: '127.0.0.1' })
  const socket = createSocket('udp4')
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject)
      socket.bind({ fd }, resolve)
    })
    const [four, six] = await Promise.all([ask(socket, name, 'A', signal), ask(socket, name, 'AAAA', signal)])
    return [...four, ...six]
  } finally {
    socket.close()
  }
}

async function ask(socket: Socket, name: string, type: 'A' | 'AAAA', signal?: AbortSignal): Promise<string[]> {
  const id = randomInt(0x10000)
  const question = packet.encode({ type: 'query', id, flags: 0x100, questions: [{ type, name }] })
  for (let attempt = 1; ; attempt++) {
    const reply = await exchange(socket, question, id, signal)
    if (reply !== undefined)
      return reply.flatMap((answer) => (answer.type === type && typeof answer.data === 'string' ? [answer.data] : []))
    if (attempt === ATTEMPTS) return []
  }
}

/** `undefined` when nothing came in time. */
function exchange(socket: Socket, question: Buffer, id: number, signal?: AbortSignal): Promise<ResourceRecord[] | undefined> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer)
      socket.off('message', receive)
      signal?.removeEventListener('abort', abort)
    }
    const receive = (message: Buffer): void => {
      const reply = packet.decode(message)
      if (reply.id !== id) return
      end()
      resolve(reply.answers ?? [])
    }
    const abort = (): void => {
      end()
      reject(signal!.reason as Error)
    }
    const timer = setTimeout(() => {
      end()
      resolve(undefined)
    }, TIMEOUT_MS)
    if (signal?.aborted) return abort()
    socket.on('message', receive)
    signal?.addEventListener('abort', abort, { once: true })
    socket.send(question, 53, RESOLVER)
  })
}
