import type { KernelObject } from '../contracts/kernel-objects.js'

/**
 * What became of the keys of IPsec states, by what stands for them. A key serves one state once: the counter that must not
 * repeat under it begins anew with every state, and the other side takes what it has seen before for a replay.
 */
export class KeyUse {
  readonly #uses = new Map<string, 'held' | 'gone'>()

  /** `held`: the kernel has a state with it; `gone`: it had one. */
  of(key: string): 'unused' | 'held' | 'gone' {
    return this.#uses.get(key) ?? 'unused'
  }

  note(before: KernelObject | undefined, now: KernelObject | undefined): void {
    if (before?.kind === 'xfrm-state') this.#uses.set(before.aead.key, 'gone')
    if (now?.kind === 'xfrm-state') this.#uses.set(now.aead.key, 'held')
  }

  /** Nobody can ask for this key any more. */
  forget(key: string): void {
    this.#uses.delete(key)
  }
}
