import type { LinkObject, Place } from '../../contracts/kernel-objects.js'
import type { Operation } from '../../contracts/operations.js'

/** Namespaces and link names that operations make, with the index of the last operation that does. */
export class NamesMade {
  #last = new Map<string, number>()

  constructor(operations: readonly Operation[]) {
    operations.forEach((operation, i) => {
      if (operation.do !== 'create') return
      const { object } = operation
      if (object.kind === 'namespace') this.#last.set(object.at, i)
      if (object.kind === 'link' && object.type !== 'existing') for (const end of ends(object)) this.#last.set(key(end.at, end.name), i)
    })
  }

  /** Whether an operation after this one makes a link of that name. */
  link(at: Place, name: string, after: number): boolean {
    return (this.#last.get(key(at, name)) ?? -1) > after
  }

  namespace(at: Place, after: number): boolean {
    return (this.#last.get(at) ?? -1) > after
  }
}

/** The names that a link takes: a veth pair takes two. */
export const ends = (link: LinkObject): { at: Place; name: string }[] => (link.type === 'veth' ? [link, link.peer] : [link])

const key = (at: Place, name: string): string => `${at}\0${name}`
