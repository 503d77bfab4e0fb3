import { keyDigest, keyBytes, standsForKey } from '../contracts/aead-key.js'
import { CnmError } from '../contracts/errors.js'
import type { KernelObject } from '../contracts/kernel-objects.js'
import type { Operation } from '../contracts/operations.js'
import type { TransactionRunner } from '../engine/engine.js'

/**
 * Keys of IPsec states, in the memory of this process alone. Descriptions, and so records, plans and errors, have what
 * stands for a key (its digest, as listings of the kernel do); the key takes its place when a state is made.
 */
export class KeyVault {
  readonly #keys = new Map<string, string>()

  /** @param key key and salt, in hex. Returns what stands for it */
  keep(key: string): string {
    const digest = keyDigest(keyBytes(key))
    this.#keys.set(digest, key)
    return digest
  }
  forget(digest: string): void {
    this.#keys.delete(digest)
  }

  /** Carries out transactions, with the keys in their places. */
  revealingTo(kernel: TransactionRunner): TransactionRunner {
    return {
      transaction: (operations) =>
        kernel.transaction(operations.some(isAboutState) ? operations.map((operation) => this.#reveal(operation)) : operations),
    }
  }

  #reveal(operation: Operation): Operation {
    if (operation.do === 'delete') return operation
    if (operation.do === 'change') return { ...operation, to: this.#withKey(operation.to) }
    return { ...operation, object: this.#withKey(operation.object) }
  }

  #withKey(object: KernelObject): KernelObject {
    if (object.kind !== 'xfrm-state' || !standsForKey(object.aead.key)) return object
    const key = this.#keys.get(object.aead.key)
    if (key !== undefined) return { ...object, aead: { ...object.aead, key } }
    const operation = `ip xfrm state add src ${object.source} dst ${object.destination} proto esp spi 0x${object.spi.toString(16)}`
    throw new CnmError('ERR_CNM_NOT_SUPPORTED', `${operation}: the key is not here`, { operation })
  }
}

const isAboutState = (operation: Operation): boolean => (operation.do === 'change' ? operation.to : operation.object).kind === 'xfrm-state'
