/** Single objects of the ruleset as they are now. */
import type { FirewallChain, FirewallElement, FirewallSet, FirewallTable } from '../../contracts/firewall.js'
import { dumpElements } from './dump.js'
import { isDeepStrictEqual } from 'node:util'
import { chainsOf, listTables, namedSets, type ListOptions } from './list.js'
import { normalFirewall } from './normal-objects.js'
import { firewallElements } from './parse-elements.js'

export function readTable(options: ListOptions, { family, name }: FirewallTable): FirewallTable | undefined {
  return listTables({ ...options, tables: [`${family} ${name}`] })[0]
}

export function readChain(options: ListOptions, { family, table, name }: FirewallChain): FirewallChain | undefined {
  return chainsOf(options, { family, table }, name)[0]
}

export function readSet(
  options: ListOptions,
  { family, table, name }: Pick<FirewallSet, 'family' | 'table' | 'name'>,
): FirewallSet | undefined {
  return namedSets(options, { family, table }).find((set) => set.name === name)
}

/** The element with this key. Its set is read whole, as the kernel finds the range around a key and not the key of a range. */
export function readElement(options: ListOptions, element: FirewallElement): FirewallElement | undefined {
  const { family, table } = element
  const set = readSet(options, { family, table, name: element.set.name })
  if (set === undefined) return undefined
  const { key } = normalFirewall(element)
  return firewallElements(set, dumpElements(options.socket, set)).find((found) => isDeepStrictEqual(found.element.key, key))?.element
}
