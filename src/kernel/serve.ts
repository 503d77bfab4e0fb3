import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads'
import { asCnmError } from './errors.js'
import { plainCalls } from './calls.js'
import type { ExitGuard } from './exit-guard.js'
import { NamespaceLost } from './namespace-lost.js'
import { EXITED, READY, type Reply, type Request, type ThreadOptions } from './protocol.js'
import { TransactionQueue } from './queue.js'
import { Faults } from './transaction/faults.js'
import { Resources } from './transaction/resources.js'
import { toWire } from './wire.js'

/** What has nothing to do with removals that wait for company: they go on waiting. */
const LETS_WAIT = new Set<string>(['announce', 'drainEvents', 'dropEnvironment', 'followNamespace', 'unfollowNamespace'])

/** Takes requests and answers them in order. Everything that blocks or needs privileges happens in here. */
export function serve(port: MessagePort, { fault }: ThreadOptions, guard: ExitGuard): void {
  const resources = new Resources()
  const queue = new TransactionQueue(resources, new Faults(fault))
  const reply = (...message: Reply): void => port.postMessage(JSON.stringify(message))
  const calls = plainCalls(resources, (report) => reply(EXITED, report))
  let requests: Request[] = []
  let closed = false

  /** Everything that has come by now. A request that only carries a number takes back another one. */
  const drain = (): void => {
    for (;;) {
      const received: { message: unknown } | undefined = receiveMessageOnPort(port)
      if (received === undefined) return
      take(JSON.parse(String(received.message)) as Request)
    }
  }
  const take = (request: Request): void => {
    if (request.length > 1) {
      requests.push(request)
      return
    }
    const [id] = request
    if (!requests.some(([other]) => other === id)) return
    requests = requests.filter(([other]) => other !== id)
    reply(id, null, { message: 'aborted before it began', code: 'ERR_CNM_ABORTED' })
  }
  const answer = (request: Exclude<Request, [number]>): void => {
    const [id, name] = request
    if (name === 'transaction') {
      queue.run(request[2], (error) => (error === undefined ? reply(id, null) : reply(id, null, toWire(error))))
      return
    }
    if (!LETS_WAIT.has(name)) queue.settle()
    if (name === 'close') return close(id)
    try {
      const call = calls[name] as (...args: unknown[]) => unknown
      const result = call(...request.slice(2))
      if (result instanceof Promise)
        result.then(
          (value: unknown) => reply(id, value ?? null),
          (error: unknown) => reply(id, null, toWire(asCnmError(error, name))),
        )
      else reply(id, result ?? null)
    } catch (error) {
      reply(id, null, toWire(asCnmError(error, name)))
    }
  }
  const close = (id: number): void => {
    closed = true
    calls.dispose()
    resources.close()
    reply(id, null)
    port.close()
  }

  port.on('message', (message: string) => {
    if (!guard.begin()) return
    try {
      take(JSON.parse(message) as Request)
      for (drain(); requests.length > 0 && !guard.stopped; drain()) {
        answer(requests.shift() as Exclude<Request, [number]>)
        // Nobody waits now; and whoever has the answer to a later request finds the spare namespace there.
        if (requests.length === 0 && !closed) resources.namespaces.prepare()
      }
      queue.settle()
    } catch (error) {
      // Out of its namespace, the thread must not go on; anything else that comes here is a defect, and ends it too.
      throw error instanceof NamespaceLost ? error : new Error('defect in the kernel thread', { cause: error })
    } finally {
      guard.end()
    }
  })
  resources.namespaces.prepare()
  reply(READY, null)
}
