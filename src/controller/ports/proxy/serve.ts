import type { MessagePort } from 'node:worker_threads'
import type { Forwarder, ProxyMessage, ProxyReply } from './messages.js'
import { forwardTcp } from './tcp-forwarder.js'
import { forwardUdp } from './udp-forwarder.js'

/** The thread's side: does what it is told, one message after the other. */
export function serveProxy(parent: MessagePort): void {
  const forwarders = new Map<number, Forwarder>()
  const obey = async (message: ProxyMessage): Promise<void> => {
    if (message.do === 'end') {
      const leaving = message.ids.flatMap((id) => forwarders.get(id) ?? [])
      for (const id of message.ids) forwarders.delete(id)
      await Promise.all(leaving.map((forwarder) => forwarder.close()))
      return
    }
    for (const { id, fd, target } of message.ports)
      forwarders.set(id, await (target.protocol === 'tcp' ? forwardTcp : forwardUdp)(fd, target))
  }
  let last = Promise.resolve()
  parent.on('message', (message: ProxyMessage) => {
    const { ticket } = message
    last = last.then(() =>
      obey(message).then(
        () => parent.postMessage({ ticket } satisfies ProxyReply),
        (error: unknown) => parent.postMessage({ ticket, error: String(error) } satisfies ProxyReply),
      ),
    )
  })
}
