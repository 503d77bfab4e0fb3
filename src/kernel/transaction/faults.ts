import type { CnmError } from '../../contracts/errors.js'
import { kernelError } from '../errors.js'

/**
 * A failure made on purpose, so that tests can fail every operation in turn. Operations are counted from 1 over the
 * life of the kernel thread.
 */
export interface Fault {
  operation: number
  /** Error number to fail with. */
  errno: number
  /**
   * `before`: the kernel is not asked. `after`: the operation is carried out and then treated as failed, so that it must
   * be undone too. The removal of a link or a namespace fails before in either case: it cannot be undone.
   */
  when: 'before' | 'after'
}

export class Faults {
  #count = 0

  constructor(private readonly fault?: Fault) {}

  /** Another operation begins. @returns when it is to fail, if it is */
  next(): Fault['when'] | undefined {
    this.#count++
    return this.fault?.operation === this.#count ? this.fault.when : undefined
  }

  error(operation: string): CnmError {
    return kernelError({ errno: this.fault?.errno ?? 0, text: 'injected by a test', operation })
  }
}
