import { AF_INET, bindSocket, close, SOCK_DGRAM, writeSocketAddress, type Arena, type Namespace } from '../../../src/kernel/loop/index.js'
import { addressBytes } from '../wire/message.js'

/** Whether an address is one of the namespace's own: only then a socket binds to it. */
export function bindsTo(namespace: Namespace, address: string, arena: Arena, scratch: number): boolean {
  const fd = namespace.open(AF_INET, SOCK_DGRAM)
  if (fd < 0) throw new Error(`socket: errno ${-fd}`)
  const length = writeSocketAddress(arena, scratch, addressBytes(address), 0, 0)
  const result = bindSocket(fd, arena.address(scratch), length)
  close(fd)
  return result === 0
}
