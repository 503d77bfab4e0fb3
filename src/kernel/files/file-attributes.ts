import type { PlainCaller } from '../protocol.js'
import type { Attributes } from './attributes.js'

export class FileAttributes {
  readonly #call: PlainCaller

  constructor(call: PlainCaller) {
    this.#call = call
  }

  /** Empty where the file system has none. */
  get(fd: number): Promise<Attributes> {
    return this.#call('getAttributes', fd)
  }
  /** @throws CnmError ERR_CNM_NOT_SUPPORTED where the file system has none, ERR_CNM_NOT_PERMITTED */
  set(fd: number, attributes: Attributes): Promise<void> {
    return this.#call('setAttributes', fd, attributes)
  }
}
