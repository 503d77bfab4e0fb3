import type { FirewallElement, FirewallObject } from '../../contracts/firewall.js'
import type { KernelObject } from '../../contracts/kernel-objects.js'
import { handlerOf } from '../handlers.js'
import type { Session } from './session.js'

/**
 * What nf_tables removes along with an object: with a table all that is in it, with a set its elements. Read as it is
 * in the kernel, without what waits to be sent: that comes back by its own undo, if it is ever sent.
 * @returns what puts it back when the object itself is there again, or `undefined` when nothing goes along
 */
export function contents(object: KernelObject, session: Session): (() => void) | undefined {
  if (object.kind === 'nft-set') {
    const elements = list('nft-element', object, session).filter((element) => element.set.name === object.name)
    return elements.length === 0 ? undefined : () => make(elements, session)
  }
  if (object.kind !== 'nft-table') return undefined
  const [chains, sets] = [list('nft-chain', object, session), list('nft-set', object, session)]
  const elements = sets.length === 0 ? [] : list('nft-element', object, session)
  if (chains.length + sets.length === 0) return undefined
  return () => {
    // Rules and verdicts speak of chains and sets: first all of these, empty.
    make([...chains.map((chain) => ({ ...chain, rules: [] })), ...sets, ...elements], session)
    for (const chain of chains) handlerOf('nft-chain').change({ ...chain, rules: [] }, chain, session)
  }
}

type Container = Extract<FirewallObject, { kind: 'nft-table' | 'nft-set' }>
type Content = Exclude<FirewallObject, { kind: 'nft-table' }>

function list<K extends Content['kind']>(kind: K, container: Container, session: Session): Extract<Content, { kind: K }>[] {
  const table = container.kind === 'nft-table' ? container.name : container.table
  const found = handlerOf(kind).list?.(container.at, session.unflushed(), [`${container.family} ${table}`])
  return (found ?? []) as Extract<Content, { kind: K }>[]
}

function make(objects: readonly (Content | FirewallElement)[], session: Session): void {
  for (const object of objects) handlerOf(object.kind).create(object, session, false)
}
