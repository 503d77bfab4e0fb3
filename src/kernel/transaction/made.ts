import type { KernelObject, Place } from '../../contracts/kernel-objects.js'
import { linkOf } from '../../contracts/link-of.js'

/** What the transaction itself has made: things on top of it need no undo of their own, they go with it. */
export class Made {
  #namespaces = new Set<Place>()
  #links = new Set<string>()
  #tables = new Set<string>()

  add(object: KernelObject): void {
    if (object.kind === 'namespace') this.#namespaces.add(object.at)
    if (object.kind === 'nft-table') this.#tables.add(tableKey(object.at, object.family, object.name))
    if (object.kind !== 'link' || object.type === 'existing') return
    this.#links.add(key(object.at, object.name))
    if (object.type === 'veth') this.#links.add(key(object.peer.at, object.peer.name))
  }

  /**
   * Whether the object is in a namespace or a table, or on a link, that goes when the transaction is undone.
   * @param replace the operation may put aside an object of somebody else's: a route through another link
   */
  carries(object: KernelObject, replace: boolean): boolean {
    if (!('at' in object)) return false
    if (object.kind === 'sysctl' && !object.path.startsWith('net/')) return false
    // A namespace goes in the background; a link made in it can hold on to things elsewhere (its peer, its parent).
    const removable = object.kind === 'link' && object.type !== 'existing'
    if (!removable && this.#namespaces.has(object.at)) return true
    if ('table' in object && 'family' in object && object.kind.startsWith('nft-')) {
      return this.#tables.has(tableKey(object.at, String(object.family), String(object.table)))
    }
    if (object.kind === 'route' && replace) return false
    const link = object.kind === 'link' ? object.name : linkOf(object)
    return link !== undefined && this.#links.has(key(object.at, link))
  }
}

const key = (at: Place, name: string): string => `${at}\0${name}`
const tableKey = (at: Place, family: string, name: string): string => `${at}\0${family} ${name}`
