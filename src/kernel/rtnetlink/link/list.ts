import type { LinkObject, Place } from '../../../contracts/kernel-objects.js'
import { CnmError } from '../../../contracts/errors.js'
import { NETLINK_ROUTE, type TransactionContext } from '../../handler.js'
import type { NetlinkSocket } from '../../netlink/socket.js'
import type { LinkFacts } from './parse.js'
import { askLink, askLinks, dumpLinks, namespaceNumber } from './query.js'

/** Where the other ends of links may be; the places of the namespaces that the caller knows. */
const USUAL_PLACES: readonly Place[] = ['host']

/**
 * Every link of a namespace, in normal form.
 *
 * Links of types that libcnm does not make are `existing`. A peer or lower link in a namespace that is none of `places`
 * is named with the kernel's number for it, `nsid:<n>`.
 */
export function listLinks(at: Place, context: TransactionContext, places: readonly Place[] = USUAL_PLACES): LinkObject[] {
  const socket = context.socket(at, NETLINK_ROUTE)
  const facts = dumpLinks(socket)
  return new Naming(at, context, places, facts).objects(facts)
}

/** One link by name, in normal form, or `undefined`. */
export function readLink(
  context: TransactionContext,
  at: Place,
  name: string,
  places: readonly Place[] = USUAL_PLACES,
): LinkObject | undefined {
  const facts = readFacts(context, at, name)
  return facts === undefined ? undefined : new Naming(at, context, places, []).objects([facts])[0]
}

/** What the kernel says about one link, or `undefined`. */
export function readFacts(context: TransactionContext, at: Place, name: string): LinkFacts | undefined {
  // What waits to be sent may make or remove the link.
  context.flush()
  let index: number
  try {
    index = context.linkIndex(at, name)
  } catch (error) {
    if (error instanceof CnmError && error.code === 'ERR_CNM_LINK_NOT_FOUND') return undefined
    throw error
  }
  return askLink(context, at, index)
}

/** Gives names to what messages of the kernel number. */
class Naming {
  readonly #socket: NetlinkSocket
  /** By namespace number (-1: this one) and index. */
  readonly #links = new Map<string, LinkFacts>()
  readonly #namespaces = new Map<number, Place>()

  constructor(
    private readonly at: Place,
    context: TransactionContext,
    places: readonly Place[],
    known: readonly LinkFacts[],
  ) {
    this.#socket = context.socket(at, NETLINK_ROUTE)
    for (const facts of known) this.#links.set(key(undefined, facts.index), facts)
    for (const place of places) {
      const number = namespaceNumber(this.#socket, context.namespaceFd(place))
      if (number !== undefined) this.#namespaces.set(number, place)
    }
  }

  objects(facts: readonly LinkFacts[]): LinkObject[] {
    this.#learn(facts)
    return facts.map((each) => this.#object(each))
  }

  /** Asks for the other ends that are not known yet, namespace by namespace. */
  #learn(facts: readonly LinkFacts[]): void {
    const wanted = new Map<number | undefined, Set<number>>()
    for (const { parentIndex, parentNamespace, masterIndex } of facts) {
      for (const [index, namespace] of [
        [parentIndex, parentNamespace],
        [masterIndex, undefined],
      ] as const) {
        if (index === undefined || this.#links.has(key(namespace, index))) continue
        wanted.set(namespace, (wanted.get(namespace) ?? new Set()).add(index))
      }
    }
    for (const [namespace, indexes] of wanted) {
      for (const { facts: found } of askLinks(this.#socket, [...indexes], namespace)) {
        if (found !== undefined) this.#links.set(key(namespace, found.index), found)
      }
    }
  }

  #object(facts: LinkFacts): LinkObject {
    const { type, name, index, fields, settings, masterIndex, parentIndex } = facts
    const object: Record<string, unknown> = { kind: 'link', at: this.at, type, name, index, ...settings, ...fields }
    const master = masterIndex === undefined ? undefined : this.#links.get(key(undefined, masterIndex))
    if (master !== undefined) object.master = master.name
    if (type === 'veth') object.peer = this.#peer(facts)
    else if (parentIndex !== undefined && HAS_PARENT.has(type)) object.parent = this.#parent(facts)
    else if (type === 'vxlan' && facts.parentNamespace !== undefined) object.underlay = this.#place(facts.parentNamespace)
    return object as unknown as LinkObject
  }

  #peer({ parentIndex, parentNamespace }: LinkFacts): unknown {
    const at = parentNamespace === undefined ? this.at : this.#place(parentNamespace)
    const peer = parentIndex === undefined ? undefined : this.#links.get(key(parentNamespace, parentIndex))
    if (peer === undefined) return { at, name: '', index: parentIndex }
    const { mac, mtu, up, group, alias, ipv6AddressGeneration } = peer.settings
    const object: Record<string, unknown> = { at, name: peer.name, index: peer.index, mac, mtu, up, group, alias, ipv6AddressGeneration }
    for (const field in object) if (object[field] === undefined) delete object[field]
    return object
  }

  #parent({ parentIndex, parentNamespace }: LinkFacts): unknown {
    const name = this.#links.get(key(parentNamespace, parentIndex ?? 0))?.name ?? ''
    return parentNamespace === undefined ? { name } : { at: this.#place(parentNamespace), name }
  }

  #place(namespace: number): Place {
    return this.#namespaces.get(namespace) ?? (namespace < 0 ? 'nsid:unknown' : `nsid:${namespace}`)
  }
}

const HAS_PARENT: ReadonlySet<string> = new Set<LinkObject['type']>(['macvlan', 'ipvlan', 'vlan', 'vxlan'])

const key = (namespace: number | undefined, index: number): string => `${namespace ?? 'here'} ${index}`
