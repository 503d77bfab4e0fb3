import { fstatSync, statfsSync } from 'node:fs'
import { CnmError } from '../contracts/errors.js'
import type { Place } from '../contracts/kernel-objects.js'
import { asCnmError } from './errors.js'
import { NamespaceLost } from './namespace-lost.js'
import * as sys from './syscalls.js'

/** The namespace that the calling thread is in. Not /proc/self: namespaces belong to threads. */
export const CURRENT_NETNS = '/proc/thread-self/ns/net'
const NSFS_MAGIC = 0x6e736673
/** linux/nsfs.h: the CLONE_NEW* flag of the namespace that a descriptor refers to. */
const NS_GET_NSTYPE = 0xb703

/** An open network namespace. Two with the same key are the same namespace, by whatever path they were reached. */
export interface Namespace {
  fd: number
  key: string
}

/** The network namespaces that the kernel thread can be in. Made on the thread, at its start: home is where it is then. */
export class Namespaces {
  readonly home: Namespace
  #current: Namespace
  /** One that nobody has yet. It has no name: the kernel drops it with its descriptor. */
  #spare: Namespace | undefined
  /** Until one could not be made. */
  #wanted = true

  constructor() {
    this.home = describe(sys.open(CURRENT_NETNS, sys.O_RDONLY))
    this.#current = this.home
  }

  /**
   * Runs `body` with the calling thread inside; comes back in any case.
   * @throws NamespaceLost when it cannot come back
   */
  inside<T>(namespace: Namespace, body: () => T): T {
    const before = this.#current
    if (namespace.key === before.key) return body()
    sys.setns(namespace.fd, sys.CLONE_NEWNET)
    this.#current = namespace
    try {
      return body()
    } finally {
      this.#return(before)
    }
  }

  /** A new network namespace; `body` runs with the calling thread inside. The caller closes its descriptor. */
  make(body: (namespace: Namespace) => void): Namespace {
    const made = this.#spare ?? this.#create()
    this.#spare = undefined
    this.#wanted = true
    try {
      this.inside(made, () => body(made))
      return made
    } catch (error) {
      sys.close(made.fd)
      throw error
    }
  }

  /** Makes the next one beforehand: that takes half a millisecond, which is better spent while nobody waits. */
  prepare(): void {
    if (!this.#wanted || this.#spare !== undefined) return
    try {
      this.#spare = this.#create()
    } catch (error) {
      if (error instanceof NamespaceLost) throw error
      // Whoever wants the next one is told why it cannot be made.
      this.#wanted = false
    }
  }

  #create(): Namespace {
    const before = this.#current
    sys.unshare(sys.CLONE_NEWNET)
    try {
      return describe(sys.open(CURRENT_NETNS, sys.O_RDONLY))
    } finally {
      this.#return(before)
    }
  }

  close(): void {
    if (this.#spare !== undefined) sys.close(this.#spare.fd)
    sys.close(this.home.fd)
  }

  #return(to: Namespace): void {
    try {
      sys.setns(to.fd, sys.CLONE_NEWNET)
      this.#current = to
    } catch (error) {
      throw new NamespaceLost(error)
    }
  }
}

/**
 * Opens what a place names: an absolute path, `pid:<n>` (the namespace of that process) or `fd:<n>` (an open
 * descriptor of this process). The caller closes it.
 * @throws CnmError ERR_CNM_NAMESPACE_NOT_FOUND, ERR_CNM_INVALID_ARGUMENT when it is something else
 */
export function openNamespace(place: Place): Namespace {
  let fd: number
  try {
    // Without O_NONBLOCK, opening a FIFO by mistake would wait for a writer.
    fd = sys.open(pathOf(place), sys.O_RDONLY | sys.O_NONBLOCK)
  } catch (error) {
    throw asCnmError(error, `open network namespace ${place}`, 'namespace')
  }
  if (isNetworkNamespace(fd)) return describe(fd)
  sys.close(fd)
  throw new CnmError('ERR_CNM_NAMESPACE_NOT_FOUND', `${place} is not a network namespace`, { object: `namespace ${place}` })
}

/** Whether a path leads to a network namespace: false too when there is nothing. */
export function isNamespacePath(path: string): boolean {
  try {
    sys.close(openNamespace(path).fd)
    return true
  } catch (error) {
    if (error instanceof CnmError && error.code === 'ERR_CNM_NAMESPACE_NOT_FOUND') return false
    throw error
  }
}

function pathOf(place: Place): string {
  const [, how, number] = /^(pid|fd):(\d+)$/.exec(place) ?? []
  if (how === 'pid') return `/proc/${number}/ns/net`
  if (how === 'fd') return `/proc/self/fd/${number}`
  if (place.startsWith('/') && !place.includes('\0')) return place
  const message = `${JSON.stringify(place)} names no namespace: host, an absolute path, pid:<n> or fd:<n>`
  throw new CnmError('ERR_CNM_INVALID_ARGUMENT', message, { field: 'at' })
}

function isNetworkNamespace(fd: number): boolean {
  // The request means something else, or worse, to other kinds of file: so first the file system.
  if (Number(statfsSync(`/proc/self/fd/${fd}`).type) !== NSFS_MAGIC) return false
  return sys.ioctl(fd, NS_GET_NSTYPE, null) === sys.CLONE_NEWNET
}

function describe(fd: number): Namespace {
  const { dev, ino } = fstatSync(fd)
  return { fd, key: `${dev}:${ino}` }
}
