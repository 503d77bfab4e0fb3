import type { Description, Owner } from '../contracts/description.js'
import type { KernelObject } from '../contracts/kernel-objects.js'
import { linkOf } from '../contracts/link-of.js'
import type { Operation } from '../contracts/operations.js'
import { canonical } from './canonical.js'
import { difference, replacesLink, type Transition } from './difference.js'
import type { Identity } from './identity.js'
import { KeyUse } from './key-use.js'
import { Wanted, type OwnerChanges } from './wanted.js'

/** Whatever carries out transactions: the kernel thread, or a recorder for plans and tests. */
export interface TransactionRunner {
  transaction(operations: readonly Operation[]): Promise<unknown>
}

/** Whoever follows what the engine does to the kernel. */
export interface EngineObserver {
  /** A transaction is on its way. */
  sent(operations: readonly Operation[]): void
  /** It failed, and was undone as far as that was possible. */
  failed(operations: readonly Operation[], error: unknown): void
}

/**
 * Desired state of the kernel. Owners say what they want; the engine merges that, and turns every change into one
 * transaction of the kernel thread.
 *
 * What the kernel is believed to hold is updated when a transaction is sent, because the thread runs them in that
 * order; one that fails is undone by the thread, and whatever others meanwhile relied on is made again.
 */
export class Engine {
  readonly instance: string
  readonly wanted: Wanted
  readonly keyUse = new KeyUse()
  readonly #kernel: TransactionRunner
  readonly #believed = new Map<Identity, KernelObject>()
  readonly #noting = new Set<Set<Identity>>()
  observer: EngineObserver | undefined

  constructor(instance: string, kernel: TransactionRunner) {
    this.instance = instance
    this.wanted = new Wanted(instance)
    this.#kernel = kernel
  }

  /**
   * Makes the kernel follow the new descriptions, whole or not at all.
   * @throws CnmError ERR_CNM_DESCRIPTION_CONFLICT; whatever the kernel refuses
   */
  async apply(changes: OwnerChanges): Promise<void> {
    const { touched, revert } = this.wanted.change(changes)
    try {
      await this.#settle(touched)
    } catch (error) {
      revert()
      // Others may have joined an object that this transaction was to make, or left one that it was to remove.
      await this.#settle(touched)
      throw error
    }
  }

  /** The operations that {@link apply} would send. */
  plan(changes: OwnerChanges): Operation[] {
    const { touched, revert } = this.wanted.change(changes)
    try {
      return difference(this.#transitions(touched))
    } finally {
      revert()
    }
  }

  /** Takes descriptions for what the kernel already holds (after a restart), without touching the kernel. */
  adopt(descriptions: ReadonlyMap<Owner, Description>): void {
    const { touched } = this.wanted.change(descriptions)
    for (const id of touched) this.#believe(id, this.wanted.object(id))
  }

  /** The kernel was found to hold this instead of what was believed: `undefined` when the object is gone. */
  observe(id: Identity, actual: KernelObject | undefined): void {
    this.#believe(id, actual)
  }

  /** What the kernel is taken to hold. */
  believed(): IterableIterator<KernelObject> {
    return this.#believed.values()
  }

  /** Notes whatever changes, in belief or in the kernel, until it is stopped. */
  noteChanges(): { readonly changed: ReadonlySet<Identity>; stop(): void } {
    const changed = new Set<Identity>()
    this.#noting.add(changed)
    return { changed, stop: () => void this.#noting.delete(changed) }
  }

  /** Brings these objects, or all that are wanted, from what is believed to what is wanted. */
  async settle(ids: Iterable<Identity> = this.wanted.identities()): Promise<Operation[]> {
    return this.#settle(new Set(ids))
  }

  async #settle(ids: ReadonlySet<Identity>): Promise<Operation[]> {
    const transitions = this.#transitions(ids)
    const operations = difference(transitions.map(({ from, to }) => ({ from, to })))
    if (operations.length === 0) return operations
    for (const { id, to } of transitions) this.#believe(id, to)
    this.observer?.sent(operations)
    try {
      await this.#kernel.transaction(operations)
    } catch (error) {
      for (const { id, from } of transitions) this.#believe(id, from)
      this.observer?.failed(operations, error)
      throw error
    }
    return operations
  }

  #transitions(ids: ReadonlySet<Identity>): (Transition & { id: Identity })[] {
    const transitions: (Transition & { id: Identity })[] = []
    const replaced = new Set<string>()
    for (const id of ids) {
      const [from, to] = [this.#believed.get(id), this.wanted.object(id)]
      if (from === undefined && to === undefined) continue
      if (from !== undefined && to !== undefined && canonical(from) === canonical(to)) continue
      transitions.push({ id, from, to })
      if (from?.kind === 'link' && to?.kind === 'link' && replacesLink(from, to)) replaced.add(`${from.at} ${from.name}`)
    }
    if (replaced.size > 0) this.#addLostWith(replaced, transitions)
    return transitions
  }

  /** A link that is made anew loses what was on it. */
  #addLostWith(links: ReadonlySet<string>, transitions: (Transition & { id: Identity })[]): void {
    const listed = new Map(transitions.map((transition) => [transition.id, transition]))
    for (const [id, object] of this.#believed) {
      const link = 'at' in object ? linkOf(object) : undefined
      if (link === undefined || !('at' in object) || !links.has(`${object.at} ${link}`)) continue
      const transition = listed.get(id)
      if (transition === undefined) transitions.push({ id, from: undefined, to: this.wanted.object(id) })
      else transition.from = undefined
    }
  }

  #believe(id: Identity, object: KernelObject | undefined): void {
    for (const changed of this.#noting) changed.add(id)
    this.keyUse.note(this.#believed.get(id), object)
    if (object === undefined) this.#believed.delete(id)
    else this.#believed.set(id, object)
  }
}
