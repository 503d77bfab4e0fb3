import { createRequire } from 'node:module'
import type * as Tls from 'node:tls'
import type { Agent } from 'undici'
import type { Sandbox } from './sandbox.js'

const DEFAULT_PORTS: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 }

/** What the global fetch takes as `dispatcher`. */
export type FetchDispatcher = NonNullable<RequestInit['dispatcher']>

/** An undici dispatcher whose connections start inside the sandbox. undici and TLS are loaded here, when they are needed. */
export function makeDispatcher(sandbox: Sandbox): FetchDispatcher {
  const require = createRequire(import.meta.url)
  const [undici, tls] = [require('undici') as { Agent: typeof Agent }, require('node:tls') as typeof Tls]
  const agent = new undici.Agent({
    connect: ({ hostname, port, protocol, servername }, callback) => {
      sandbox.dial({ host: hostname, port: Number(port) || DEFAULT_PORTS[protocol]! }).then(
        (socket) => {
          if (protocol !== 'https:') return callback(null, socket)
          const secure = tls.connect({ socket, servername: servername ?? hostname, ALPNProtocols: ['http/1.1'] })
          secure.once('secureConnect', () => callback(null, secure)).once('error', (error: Error) => callback(error, null))
        },
        (error: Error) => callback(error, null),
      )
    },
  })
  // The same thing in the types of two versions of undici: the one of the package and the one of Node's own fetch.
  return agent as unknown as FetchDispatcher
}
