import { closeSync, openSync } from 'node:fs'
import { CLONE_NEWNET, EPERM, interfaceIndex, setNamespace, SOCK_CLOEXEC, SOCK_NONBLOCK, socket } from './system-calls.js'

/** Where sockets towards servers are made. */
export interface Namespace {
  /** @returns a non-blocking socket, or -errno */
  open(domain: number, type: number): number
  /** Index of an interface, 0 when there is none of that name. */
  interfaceIndex(name: string): number
  close(): void
}

/** The namespace of the calling thread, and ways into others for the length of one call. */
export class HomeNamespace implements Namespace {
  #home: number | undefined
  #lost = false

  open(domain: number, type: number): number {
    if (this.#lost && !this.#returned()) return -EPERM
    return makeSocket(domain, type)
  }

  interfaceIndex(name: string): number {
    return interfaceIndex(name)
  }

  /**
   * Another namespace, by path. The thread is inside only while a socket is made (1 us each way); a socket stays
   * where it was made.
   */
  other(path: string): Namespace {
    const fd = openSync(path, 'r')
    return {
      open: (domain, type) => this.#inside(fd, () => makeSocket(domain, type)),
      interfaceIndex: (name) =>
        Math.max(
          0,
          this.#inside(fd, () => this.interfaceIndex(name)),
        ),
      close: () => closeSync(fd),
    }
  }

  #inside(fd: number, body: () => number): number {
    this.#home ??= openSync('/proc/thread-self/ns/net', 'r')
    const entered = setNamespace(fd, CLONE_NEWNET)
    if (entered < 0) return entered
    const result = body()
    this.#returned()
    return result
  }

  /** Whether the thread is at home again. While it is not, no socket is made: questions for the host's servers never leave from a sandbox. */
  #returned(): boolean {
    this.#lost = setNamespace(this.#home!, CLONE_NEWNET) < 0
    return !this.#lost
  }

  close(): void {
    if (this.#home !== undefined) closeSync(this.#home)
    this.#home = undefined
  }
}

function makeSocket(domain: number, type: number): number {
  return socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
}
