import type { PlainCaller } from '../protocol.js'
import type { Attributes } from './attributes.js'

/** What Node cannot do with files. */
export class SpecialFiles {
  readonly #call: PlainCaller

  constructor(call: PlainCaller) {
    this.#call = call
  }

  /** Extended attributes of an open file of this process; empty where the file system has none. */
  getAttributes(fd: number): Promise<Attributes> {
    return this.#call('getAttributes', fd)
  }
  /** @throws CnmError ERR_CNM_NOT_SUPPORTED where the file system has none, ERR_CNM_NOT_PERMITTED */
  setAttributes(fd: number, attributes: Attributes): Promise<void> {
    return this.#call('setAttributes', fd, attributes)
  }
  /** Makes a FIFO or a device. */
  makeNode(path: Buffer, mode: number, device: number): Promise<void> {
    return this.#call('makeNode', path.toString('base64'), mode, device)
  }
  /** Limits the bytes in a folder that is empty, by project quota. @returns false where the file system has none */
  limitFolder(fd: number, bytes: number): Promise<boolean> {
    return this.#call('limitFolder', fd, bytes)
  }
  /** Takes such a limit away; there being none is not an error. */
  unlimitFolder(fd: number): Promise<void> {
    return this.#call('unlimitFolder', fd)
  }
}
