import { randomInt } from 'node:crypto'
import { constants } from 'node:os'
import { CnmError } from '../contracts/errors.js'
import { kernelError } from './errors.js'
import * as sys from './syscalls.js'

/** linux/sockios.h; struct ifreq (netdevice(7)): a name of 16 bytes, then an int. */
const SIOCGIFNAME = 0x8910
const SIOCGIFINDEX = 0x8933
const IFREQ_LENGTH = 40
const NAME_LENGTH = 16
const { ENODEV } = constants.errno

/** Where indexes begin in a namespace of our own, and where they may in one that others use too. */
const FIRST = 2
const SHARED_FROM = 1 << 20
const SHARED_TO = 1 << 30

/** The index to try next. */
export interface IndexCounter {
  next: number
}

export const privateIndexes = (): IndexCounter => ({ next: FIRST })

/**
 * For a namespace in which others make links at the same time, whose indexes the kernel chooses by counting: a random
 * place far from that. Counting on from there, and not choosing anew each time, keeps the kernel's tree of them dense.
 */
export const sharedIndexes = (): IndexCounter => ({ next: randomInt(SHARED_FROM, SHARED_TO) })

/**
 * Names and indexes of the links of one namespace during one transaction. Indexes of links to be made are chosen
 * here, so that a link can be made complete in one message and named by the messages that follow without asking.
 */
export class LinkIndexes {
  #byName = new Map<string, number>()
  #chosen = new Set<number>()
  #request = new Uint8Array(IFREQ_LENGTH)
  #int = new Int32Array(this.#request.buffer, NAME_LENGTH, 1)

  /** @param fd any socket in the namespace */
  constructor(
    readonly fd: number,
    private readonly counter: IndexCounter,
  ) {}

  /** @throws CnmError ERR_CNM_LINK_NOT_FOUND */
  index(name: string): number {
    const index = this.#byName.get(name) ?? this.#ask(name)
    this.#byName.set(name, index)
    return index
  }

  name(index: number): string | undefined {
    for (const [name, known] of this.#byName) if (known === index) return name
    return this.#nameInKernel(index)
  }

  choose(name: string, wanted?: number): number {
    const index = wanted ?? this.#free()
    this.#chosen.add(index)
    this.#byName.set(name, index)
    return index
  }

  forget(name: string): void {
    this.#byName.delete(name)
  }

  rename(from: string, to: string): void {
    const index = this.#byName.get(from)
    this.#byName.delete(from)
    if (index !== undefined) this.#byName.set(to, index)
  }

  #free(): number {
    const { counter } = this
    while (this.#chosen.has(counter.next) || this.#nameInKernel(counter.next) !== undefined) counter.next++
    return counter.next++
  }

  #ask(name: string): number {
    const bytes = Buffer.from(name, 'utf8')
    if (bytes.length === 0 || bytes.length >= NAME_LENGTH) {
      throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `${JSON.stringify(name)} is not a link name: 1 to 15 bytes`, { field: 'name' })
    }
    this.#request.fill(0)
    this.#request.set(bytes)
    const errno = sys.tryIoctl(this.fd, SIOCGIFINDEX, this.#request)
    if (errno !== 0) throw kernelError({ errno, operation: `link ${name}`, subject: 'link' })
    return this.#int[0]!
  }

  #nameInKernel(index: number): string | undefined {
    this.#request.fill(0)
    this.#int[0] = index
    const errno = sys.tryIoctl(this.fd, SIOCGIFNAME, this.#request)
    if (errno === ENODEV) return undefined
    if (errno !== 0) throw new sys.SystemCallError('ioctl', errno)
    return Buffer.from(this.#request.subarray(0, this.#request.indexOf(0))).toString('utf8')
  }
}
