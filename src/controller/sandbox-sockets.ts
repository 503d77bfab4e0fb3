import { close } from 'node:fs'
import { Socket, isIP, type Server } from 'node:net'
import { CnmError } from '../contracts/errors.js'
import type { Sandbox } from './sandbox.js'

export interface ListenOptions {
  port: number
  /** Address inside the sandbox. Default: all. */
  host?: string
  backlog?: number
}

export interface DialOptions {
  /** An address, or a name as the sandbox knows it. */
  host: string
  port: number
  /** Source address. */
  localAddress?: string
  signal?: AbortSignal
}

/** Makes a server of this process listen inside the sandbox; its connections are served by this process. */
export async function listenIn<T extends Server>(sandbox: Sandbox, server: T, options: ListenOptions): Promise<T> {
  const { core, record } = sandbox
  core.alive()
  const { port, host, backlog } = options
  const { fd } = await core.kernel.socket(record.namespace, { type: 'tcp-listen', address: host, port, backlog })
  return new Promise<T>((resolve, reject) => {
    const failed = (error: Error): void => {
      close(fd, () => undefined)
      reject(error)
    }
    server.once('error', failed)
    server.listen({ fd }, () => {
      server.off('error', failed)
      resolve(server)
    })
  })
}

/** Connects from inside the sandbox, to the first address of the name that answers. */
export async function dialFrom(sandbox: Sandbox, options: DialOptions): Promise<Socket> {
  sandbox.core.alive()
  const addresses = isIP(options.host) ? [options.host] : await sandbox.resolve(options.host, { signal: options.signal })
  const failures: Error[] = []
  for (const address of addresses) {
    options.signal?.throwIfAborted()
    try {
      return await connect(sandbox, address, options)
    } catch (error) {
      failures.push(error as Error)
    }
  }
  if (failures.length === 1) throw failures[0]!
  const object = `sandbox ${sandbox.name}`
  if (failures.length === 0)
    throw new CnmError('ERR_CNM_NAME_NOT_FOUND', `sandbox ${sandbox.name}: no address for ${options.host}`, { object, field: 'host' })
  throw new AggregateError(failures, `sandbox ${sandbox.name}: ${options.host}:${options.port}: no address answered`)
}

async function connect(sandbox: Sandbox, address: string, { port, localAddress, signal }: DialOptions): Promise<Socket> {
  const family = isIP(address) === 6 ? 6 : 4
  const { fd } = await sandbox.core.kernel.socket(sandbox.record.namespace, { type: 'tcp', family, address: localAddress })
  const socket = new Socket({ fd, signal })
  return new Promise<Socket>((resolve, reject) => {
    socket.once('error', reject)
    socket.connect({ host: address, port }, () => {
      socket.off('error', reject)
      resolve(socket)
    })
  })
}
