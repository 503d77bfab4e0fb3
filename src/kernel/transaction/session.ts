import { close as closeLater } from 'node:fs'
import type { Place } from '../../contracts/kernel-objects.js'
import { NETLINK_NETFILTER, NETLINK_ROUTE, type TransactionContext } from '../handler.js'
import { LinkIndexes, privateIndexes } from '../link-indexes.js'
import { openNamespace, type Namespace } from '../namespaces.js'
import { NetlinkSocket } from '../netlink/socket.js'
import type { MessageWriter } from '../netlink/writer.js'
import * as sys from '../syscalls.js'
import { Outbox } from './outbox.js'
import type { Resources } from './resources.js'

type Sockets = Map<number, NetlinkSocket>

/** A namespace as one session uses it. */
export interface Site {
  namespace: Namespace
  sockets: Sockets
  /** Made by this session. */
  made: boolean
  links?: LinkIndexes
}

/**
 * Namespaces, sockets and interface indexes while one transaction (or one question) lasts: each opened at first use,
 * all closed at the end.
 */
export class Session implements TransactionContext {
  readonly outbox: Outbox
  #byPlace = new Map<Place, Site>()
  #byKey = new Map<string, Site>()
  #notes = new Map<new () => object, object>()

  constructor(readonly resources: Resources) {
    this.outbox = new Outbox((_owner, { errno, text }) => (errno === 0 ? undefined : new Refused(errno, text)), resources.memory)
    const home: Site = { namespace: resources.namespaces.home, sockets: resources.homeSockets, made: false }
    this.#byPlace.set('host', home)
    this.#byKey.set(home.namespace.key, home)
  }

  /** @throws CnmError ERR_CNM_NAMESPACE_NOT_FOUND */
  site(at: Place): Site {
    const known = this.#byPlace.get(at)
    if (known !== undefined) return known
    const namespace = openNamespace(at)
    const same = this.#byKey.get(namespace.key)
    if (same !== undefined) sys.close(namespace.fd)
    return this.#remember(at, same ?? { namespace, sockets: new Map(), made: false })
  }

  /** A new namespace that `at` stands for from now on. `attach` runs inside, and gives it a name in the file system. */
  makeNamespace(at: Place, attach: () => void): void {
    this.forgetPlace(at)
    const sockets: Sockets = new Map()
    const namespace = this.resources.namespaces.make(() => {
      // Its loopback is wanted next, in any use there is; now the socket costs no change of namespace.
      const socket = new NetlinkSocket(NETLINK_ROUTE, this.resources.memory)
      try {
        attach()
      } catch (error) {
        socket.close()
        throw error
      }
      sockets.set(NETLINK_ROUTE, socket)
    })
    this.#remember(at, { namespace, sockets, made: true })
  }

  /** `at` stands for nothing now, or for another namespace. What is open stays open until the end. */
  forgetPlace(at: Place): void {
    this.outbox.flush()
    this.#byPlace.delete(at)
  }

  writer(at: Place, protocol: number): MessageWriter {
    return this.outbox.writer(this.#socketOf(this.site(at), protocol), protocol)
  }

  flush(): void {
    this.outbox.flush()
  }

  socket(at: Place, protocol: number): NetlinkSocket {
    this.outbox.flush()
    return this.#socketOf(this.site(at), protocol)
  }

  /** The same, for looking at the kernel as it is: asking for a socket does not send what waits. */
  unflushed(): TransactionContext {
    return {
      socket: (at, protocol) => this.#socketOf(this.site(at), protocol),
      flush: () => undefined,
      writer: (at, protocol) => this.writer(at, protocol),
      linkIndex: (at, name) => this.linkIndex(at, name),
      newLinkIndex: (at, name, wanted) => this.newLinkIndex(at, name, wanted),
      forgetLink: (at, name) => this.forgetLink(at, name),
      linkName: (at, index) => this.linkName(at, index),
      namespaceFd: (at) => this.namespaceFd(at),
      inside: (at, body) => this.inside(at, body),
      note: (kind) => this.note(kind),
      kept: (kind) => this.kept(kind),
    }
  }

  /** A socket for questions that do not depend on what waits to be sent. */
  routeSocket(site: Site): NetlinkSocket {
    return this.#socketOf(site, NETLINK_ROUTE)
  }

  linkIndex(at: Place, name: string): number {
    return this.links(this.site(at)).index(name)
  }

  newLinkIndex(at: Place, name: string, wanted?: number): number {
    return this.links(this.site(at)).choose(name, wanted)
  }

  forgetLink(at: Place, name: string): void {
    this.links(this.site(at)).forget(name)
  }

  linkName(at: Place, index: number): string | undefined {
    return this.links(this.site(at)).name(index)
  }

  namespaceFd(at: Place): number {
    return this.site(at).namespace.fd
  }

  inside<T>(at: Place, body: () => T): T {
    return this.resources.namespaces.inside(this.site(at).namespace, body)
  }

  note<T extends object>(kind: new () => T): T {
    const note = this.#notes.get(kind) ?? new kind()
    this.#notes.set(kind, note)
    return note as T
  }

  kept<T extends object>(kind: new () => T): T {
    return this.resources.kept(kind)
  }

  links(site: Site): LinkIndexes {
    site.links ??= new LinkIndexes(this.routeSocket(site).fd, this.#isHome(site) ? this.resources.homeIndexes : privateIndexes())
    return site.links
  }

  close(): void {
    for (const site of this.#byKey.values()) {
      if (this.#isHome(site)) continue
      for (const [protocol, socket] of site.sockets) this.#closeSocket(protocol, socket)
      sys.close(site.namespace.fd)
    }
    this.#byKey.clear()
    this.#byPlace.clear()
  }

  #isHome(site: Site): boolean {
    return site.sockets === this.resources.homeSockets
  }

  /** Closing a socket of nf_tables waits 14-20 ms for the kernel when something was deleted before: not on this thread. */
  #closeSocket(protocol: number, socket: NetlinkSocket): void {
    if (protocol === NETLINK_NETFILTER && this.resources.removedRulesLately) socket.close((fd) => closeLater(fd, ignoreResult))
    else socket.close()
  }

  #remember(at: Place, site: Site): Site {
    this.#byPlace.set(at, site)
    this.#byKey.set(site.namespace.key, site)
    return site
  }

  #socketOf(site: Site, protocol: number): NetlinkSocket {
    const open = site.sockets.get(protocol)
    if (open !== undefined) return open
    const socket = this.resources.namespaces.inside(site.namespace, () => new NetlinkSocket(protocol, this.resources.memory))
    site.sockets.set(protocol, socket)
    return socket
  }
}

/** An answer that nobody was there to judge. */
export class Refused extends sys.SystemCallError {
  constructor(
    errno: number,
    readonly kernelText: string | undefined,
  ) {
    super('netlink', errno)
  }
}

function ignoreResult(): void {
  // close(2) of a socket frees the descriptor whatever it returns
}
