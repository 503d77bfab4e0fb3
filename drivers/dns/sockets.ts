import { randomInt } from 'node:crypto'
import { closeSync } from 'node:fs'
import type { Place } from '../../src/contracts/kernel-objects.js'
import type { SocketHandle, SocketRequest } from '../../src/kernel/index.js'
import { RESOLVER_ADDRESS, RESOLVER_ADDRESS_6 } from './contract.js'
import type { ResolverPorts } from './redirect.js'

/** Connections that may wait to be accepted. */
const BACKLOG = 128
/** Where the kernel itself chooses ports from (ip_local_port_range). */
const PORTS = { from: 32_768, to: 61_000 }
/** Ports of the kernel's choice. */
const ANY: ResolverPorts = { udp: 0, tcp: 0 }

/** What makes sockets in namespaces: the kernel thread. */
export interface SocketMaker {
  socket(at: Place, request: SocketRequest): Promise<SocketHandle>
}

export interface ResolverSockets {
  udp: number
  tcp: number
  ports: ResolverPorts
}

/** Ports that are free in all likelihood: what leads to them can be described while the sockets are being made. */
export const chooseResolverPorts = (): ResolverPorts => ({ udp: randomInt(PORTS.from, PORTS.to), tcp: randomInt(PORTS.from, PORTS.to) })

/**
 * Makes the sockets of the resolver in a sandbox, on these ports where they are free, else (or without) on ports that the
 * kernel chooses. `lo` must be up; for family 6 it must have {@link resolverAddress6} before anybody asks.
 * @throws CnmError what the kernel refuses: ERR_CNM_NAMESPACE_NOT_FOUND, ERR_CNM_KERNEL
 */
export async function openResolverSockets(kernel: SocketMaker, at: Place, family: 4 | 6, wanted = ANY): Promise<ResolverSockets> {
  const address = family === 4 ? RESOLVER_ADDRESS : RESOLVER_ADDRESS_6
  const open = async (type: 'udp' | 'tcp-listen', port: number): Promise<SocketHandle> => {
    // Of family 6 the address comes with the sandbox's description, which needs to know the ports.
    const own = { address, port, freeBind: family === 6 }
    const request: SocketRequest = type === 'udp' ? { type, ...own } : { type, ...own, backlog: BACKLOG }
    try {
      return await kernel.socket(at, request)
    } catch (error) {
      if (port === 0 || (error as { errnoName?: string }).errnoName !== 'EADDRINUSE') throw error
      return kernel.socket(at, { ...request, port: 0 })
    }
  }
  const [udp, tcp] = await Promise.allSettled([open('udp', wanted.udp), open('tcp-listen', wanted.tcp)])
  if (udp.status === 'fulfilled' && tcp.status === 'fulfilled') {
    return { udp: udp.value.fd, tcp: tcp.value.fd, ports: { udp: udp.value.address!.port, tcp: tcp.value.address!.port } }
  }
  const results = [udp, tcp]
  for (const result of results) if (result.status === 'fulfilled') closeSync(result.value.fd)
  throw results.find((result) => result.status === 'rejected')!.reason as Error
}
