import { statSync } from 'node:fs'
import type { KernelObject, Place } from '../../contracts/kernel-objects.js'
import type { Operation } from '../../contracts/operations.js'
import { ends } from './names.js'

/** Made beside a link that is about to go, these cannot meet anything that goes with it. */
const INDIFFERENT = /^(?:namespace|nft-.*|bridge-port|features)$/

/**
 * What transactions that wait for their removals still hold. A later transaction that touches any of it must wait until
 * they are done: it may want the same name, or meet the routes of a link that is about to go.
 */
export class Touches {
  #names = new Set<string>()
  #namespaces = new Set<string>()
  #keys = new Map<Place, string>()

  constructor(private readonly homeKey: string) {}

  /** Remembers what goes when these operations are committed. */
  add(operations: readonly Operation[]): void {
    for (const operation of operations) {
      if (operation.do !== 'delete') continue
      const { object } = operation
      if (object.kind === 'namespace') this.#names.add(this.#key(object.at))
      if (object.kind !== 'link') continue
      for (const { at, name } of ends(object)) {
        this.#names.add(`${this.#key(at)} ${name}`)
        this.#namespaces.add(this.#key(at))
      }
    }
  }

  conflict(operations: readonly Operation[]): boolean {
    if (this.#names.size === 0) return false
    return operations.some((operation) => {
      const objects = operation.do === 'change' ? [operation.from, operation.to] : [operation.object]
      return objects.some((object) => this.#mentions(object) || (operation.do !== 'delete' && this.#mayMeet(object)))
    })
  }

  clear(): void {
    this.#names.clear()
    this.#namespaces.clear()
    this.#keys.clear()
  }

  #mentions(object: KernelObject): boolean {
    for (const { at, name } of mentioned(object)) {
      const key = this.#key(at)
      if (this.#names.has(key) || (name !== undefined && this.#names.has(`${key} ${name}`))) return true
    }
    return false
  }

  #mayMeet(object: KernelObject): boolean {
    if (!('at' in object) || INDIFFERENT.test(object.kind) || (object.kind === 'link' && object.type === 'veth')) return false
    return this.#namespaces.has(this.#key(object.at))
  }

  /** One key per namespace, whatever path leads to it; a path that leads nowhere stands for itself. */
  #key(at: Place): string {
    let key = this.#keys.get(at)
    if (key === undefined) this.#keys.set(at, (key = this.#find(at)))
    return key
  }

  #find(at: Place): string {
    if (at === 'host') return this.homeKey
    const path = at.startsWith('pid:') ? `/proc/${at.slice(4)}/ns/net` : at.startsWith('fd:') ? `/proc/self/fd/${at.slice(3)}` : at
    const found = path.startsWith('/') ? statSync(path, { throwIfNoEntry: false }) : undefined
    return found === undefined ? at : `${found.dev}:${found.ino}`
  }
}

/** Places and links that an object speaks of. */
function mentioned(object: KernelObject): { at: Place; name?: string }[] {
  if (!('at' in object)) return []
  const { at } = object
  const fields = object as {
    name?: string
    link?: string
    master?: string
    parent?: { at?: Place; name: string } | string
    nextHops?: { link?: string }[]
  }
  const result: { at: Place; name?: string }[] = [{ at }]
  const add = (name: string | undefined, where: Place = at): void => {
    if (name !== undefined) result.push({ at: where, name })
  }
  add(object.kind === 'link' ? object.name : undefined)
  add(fields.link)
  add(fields.master)
  if (typeof fields.parent === 'object') add(fields.parent.name, fields.parent.at)
  for (const hop of fields.nextHops ?? []) add(hop.link)
  if (object.kind === 'link' && object.type === 'veth') add(object.peer.name, object.peer.at)
  return result
}
