import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** A way to a server that can be cut: what is on it is lost, and nobody gets through until it is healed. */
export interface TcpProxy extends AsyncDisposable {
  readonly port: number
  /** Bytes that came from the server. */
  readonly received: number
  cut(): void
  heal(): void
}

export async function tcpProxy(target: { host: string; port: number }): Promise<TcpProxy> {
  const sockets = new Set<Socket>()
  let open = true
  let received = 0
  const server = createServer((near) => {
    if (!open) return void near.destroy()
    const far = connect(target)
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one)
      one.on('error', () => undefined)
      one.on('close', () => {
        sockets.delete(one)
        other.destroy()
      })
      one.pipe(other)
    }
    far.on('data', ({ length }: Buffer) => (received += length))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    get received() {
      return received
    },
    cut() {
      open = false
      for (const socket of sockets) socket.destroy()
    },
    heal: () => (open = true),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
