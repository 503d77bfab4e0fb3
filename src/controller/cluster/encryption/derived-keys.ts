import type { KeyUse } from '../../../engine/key-use.js'
import type { KeyVault } from '../../key-vault.js'
import type { KeyStore } from './pair.js'

/** Which derived keys are kept for the kernel, by the host that they are shared with, so that those of old secrets go. */
export class DerivedKeys {
  readonly #vault: KeyVault
  readonly #uses: KeyUse
  /** Those of the last time, and of the time before: a description that is on its way may have them. */
  readonly #kept = new Map<string, { now: Set<string>; before: Set<string> }>()

  constructor(vault: KeyVault, uses: KeyUse) {
    this.#vault = vault
    this.#uses = uses
  }

  /** Does something with the keys that are shared with a host: those that it asks for are kept. */
  during<T>(node: string, work: (keys: KeyStore) => T): T {
    const now = new Set<string>()
    const result = work({
      keep: (key) => {
        const digest = this.#vault.keep(key)
        now.add(digest)
        return digest
      },
      useOf: (digest) => this.#uses.of(digest),
    })
    const last = this.#kept.get(node)
    const before = last?.now ?? new Set<string>()
    for (const digest of last?.before ?? []) {
      if (now.has(digest) || before.has(digest)) continue
      if (this.#uses.of(digest) === 'held') before.add(digest)
      else this.#drop(digest)
    }
    this.#kept.set(node, { now, before })
    return result
  }

  /** The host has taken its secrets away. What is in the kernel with them goes by itself. */
  forget(node: string): void {
    const { now, before } = this.#kept.get(node) ?? {}
    for (const digest of [...(now ?? []), ...(before ?? [])]) this.#drop(digest)
    this.#kept.delete(node)
  }

  #drop(digest: string): void {
    this.#vault.forget(digest)
    this.#uses.forget(digest)
  }
}
