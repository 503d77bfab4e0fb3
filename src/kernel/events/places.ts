import type { Place } from '../../contracts/kernel-objects.js'
import { NETLINK_ROUTE } from '../handler.js'
import { attributeMap, i32, text } from '../netlink/reader.js'
import type { Session } from '../transaction/session.js'

const RTM_GETLINK = 18
const IFLA_IFNAME = 3
/** struct ifinfomsg; the interface index is its second word. */
const IFINFOMSG = 16

/** By which names events call namespaces and links: messages carry only numbers. */
export class Places {
  #byNsid = new Map<number, Place>()
  #links = new Map<Place, Map<number, string>>()

  follow(at: Place, nsid: number): void {
    this.#byNsid.set(nsid, at)
  }

  unfollow(at: Place): void {
    for (const [nsid, place] of this.#byNsid) if (place === at) this.#byNsid.delete(nsid)
    this.#links.delete(at)
  }

  /** @param nsid absent: the namespace of the socket */
  place(nsid: number | undefined): Place {
    return nsid === undefined ? 'host' : (this.#byNsid.get(nsid) ?? `nsid:${nsid}`)
  }

  /** The namespace with this number is gone. @returns what it was called, if it was followed */
  forget(nsid: number): Place | undefined {
    const at = this.#byNsid.get(nsid)
    this.#byNsid.delete(nsid)
    if (at !== undefined) this.#links.delete(at)
    return at
  }

  linkName(at: Place, index: number): string | undefined {
    return this.#links.get(at)?.get(index)
  }

  /** Name under which a link was known that an RTM_NEWLINK or RTM_DELLINK message calls by another. */
  renamed(at: Place, payload: Uint8Array): string | undefined {
    const before = this.linkName(at, i32(payload, 4))
    const attribute = attributeMap(payload, IFINFOMSG).get(IFLA_IFNAME)
    return before === undefined || attribute === undefined || text(attribute) === before ? undefined : before
  }

  /** The links that there are now. */
  learn(at: Place, session: Session): void {
    const body = (writer: { u32(value: number): unknown }): void => {
      for (let i = 0; i < IFINFOMSG; i += 4) writer.u32(0)
    }
    session.socket(at, NETLINK_ROUTE).dump(RTM_GETLINK, body, ({ payload }) => this.noteLink(at, payload, true))
  }

  /** Reads index and name from an RTM_NEWLINK or RTM_DELLINK message. */
  noteLink(at: Place, payload: Uint8Array, there: boolean): string | undefined {
    const index = i32(payload, 4)
    const attribute = attributeMap(payload, IFINFOMSG).get(IFLA_IFNAME)
    const name = attribute === undefined ? this.linkName(at, index) : text(attribute)
    let links = this.#links.get(at)
    if (links === undefined) this.#links.set(at, (links = new Map<number, string>()))
    if (!there) links.delete(index)
    else if (name !== undefined) links.set(index, name)
    return name
  }
}
