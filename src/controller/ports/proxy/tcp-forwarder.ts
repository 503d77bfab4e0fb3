import net from 'node:net'
import type { Forwarder, ProxyTarget } from './messages.js'

/** Takes connections on a listening socket, and makes one to the target for each. One side may end before the other. */
export async function forwardTcp(fd: number, { address, port }: ProxyTarget): Promise<Forwarder> {
  const open = new Set<net.Socket>()
  const server = net.createServer({ allowHalfOpen: true }, (client) => {
    const target = net.connect({ host: address, port, allowHalfOpen: true })
    join(client, target)
    for (const socket of [client, target]) {
      open.add(socket)
      socket.once('close', () => open.delete(socket))
    }
  })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen({ fd }, resolve))
  server.on('error', () => undefined)
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of open) socket.destroy()
      }),
  }
}

/** What one says the other hears; what breaks one breaks the other. */
function join(client: net.Socket, target: net.Socket): void {
  client.pipe(target).pipe(client)
  client.on('error', () => target.resetAndDestroy())
  target.on('error', () => client.resetAndDestroy())
}
