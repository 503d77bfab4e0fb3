import { randomInt } from 'node:crypto'
import { constants } from 'node:os'
import { CnmError } from '../contracts/errors.js'
import { errnoOf, kernelError } from './errors.js'
import * as sys from './syscalls.js'

/** linux/sockios.h; struct ifreq (netdevice(7)): a name of 16 bytes, then an int. */
const SIOCGIFNAME = 0x8910
const SIOCGIFINDEX = 0x8933
const IFREQ_LENGTH = 40
const NAME_LENGTH = 16
const { ENODEV } = constants.errno

/** Where indexes begin in a namespace of our own, and the range of random beginnings in one that others use too. */
const FIRST = 2
const SHARED_FROM = 1 << 16
const SHARED_TO = 1 << 30

/**
 * Names and indexes of the links of one namespace during one transaction. Indexes of links to be made are chosen
 * here, so that a link can be made complete in one message and named by the messages that follow without asking.
 */
export class LinkIndexes {
  #byName = new Map<string, number>()
  #chosen = new Set<number>()
  #request = new Uint8Array(IFREQ_LENGTH)
  #int = new Int32Array(this.#request.buffer, NAME_LENGTH, 1)
  #next: number

  /**
   * @param fd any socket in the namespace
   * @param shared others make links here at the same time, and the kernel chooses their indexes by counting: ours
   *   begin at a random place far from that
   */
  constructor(
    readonly fd: number,
    shared: boolean,
  ) {
    this.#next = shared ? randomInt(SHARED_FROM, SHARED_TO) : FIRST
  }

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
    while (this.#chosen.has(this.#next) || this.#nameInKernel(this.#next) !== undefined) this.#next++
    return this.#next++
  }

  #ask(name: string): number {
    const bytes = Buffer.from(name, 'utf8')
    if (bytes.length === 0 || bytes.length >= NAME_LENGTH) {
      throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `${JSON.stringify(name)} is not a link name: 1 to 15 bytes`, { field: 'name' })
    }
    this.#request.fill(0)
    this.#request.set(bytes)
    try {
      sys.ioctl(this.fd, SIOCGIFINDEX, this.#request)
    } catch (error) {
      throw kernelError({ errno: errnoOf(error) ?? ENODEV, operation: `link ${name}`, subject: 'link', cause: error })
    }
    return this.#int[0]!
  }

  #nameInKernel(index: number): string | undefined {
    this.#request.fill(0)
    this.#int[0] = index
    try {
      sys.ioctl(this.fd, SIOCGIFNAME, this.#request)
    } catch (error) {
      if (errnoOf(error) === ENODEV) return undefined
      throw error
    }
    return Buffer.from(this.#request.subarray(0, this.#request.indexOf(0))).toString('utf8')
  }
}
