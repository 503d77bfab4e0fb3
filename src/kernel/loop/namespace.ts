import { closeSync, openSync } from 'node:fs'
import { CLONE_NEWNET, interfaceIndex, setNamespace, SOCK_CLOEXEC, SOCK_NONBLOCK, socket } from './system-calls.js'

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

  open(domain: number, type: number): number {
    return socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
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
      open: (domain, type) => this.#inside(fd, () => this.open(domain, type)),
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
    const back = setNamespace(this.#home, CLONE_NEWNET)
    // Questions for the host's servers must never leave from a sandbox.
    if (back < 0) throw new Error(`cannot return to the network namespace of the host: errno ${-back}`)
    return result
  }

  close(): void {
    if (this.#home !== undefined) closeSync(this.#home)
    this.#home = undefined
  }
}
