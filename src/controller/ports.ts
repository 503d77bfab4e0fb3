import type { PortView, Publishing } from '../contracts/network-driver.js'
import type { Kernel, PortReservation, ReservationResult } from '../kernel/index.js'
import type { PortOptions } from './options.js'
import { EphemeralPorts } from './ports/ephemeral-ports.js'
import { portFailure } from './ports/port-failure.js'
import { holderOf } from './ports/port-holder.js'
import { readRequests, type PortRequest } from './ports/port-requests.js'
import {
  isSamePort,
  lastOf,
  meet,
  proxyTarget,
  publishedPorts,
  reservations,
  selectPorts,
  views,
  type PortSelection,
} from './ports/port-views.js'
import type { PortProxy, ProxiedPort } from './ports/proxy/port-proxy.js'

/** Whose ports they are: the id of an endpoint, and its name for messages. */
export interface PortOwner {
  id: string
  /** `endpoint web of network front`. */
  name: string
}

/** A port that could not be held after a restart: somebody has taken it meanwhile. */
export interface PortConflict {
  port: PortView
  holder: string
}

interface Claim {
  owner: PortOwner
  port: PortView
  fds: number[]
  /** The sockets among them that the proxy serves. */
  proxied: ProxiedPort[]
}

type PortKernel = Pick<Kernel, 'reservePorts' | 'releasePorts' | 'duplicatePorts' | 'forgetFlows'>

const EADDRINUSE = 98

/**
 * The ports of the host that endpoints have published. A port is reserved by a socket that is bound to it for as long
 * as it is published, so that the kernel itself keeps others from it, and no list of ours can be wrong.
 */
export class Ports {
  readonly #kernel: PortKernel
  readonly #ephemeral = new EphemeralPorts()
  readonly #claims = new Map<string, Claim[]>()
  #proxy: PortProxy | undefined

  constructor(kernel: PortKernel) {
    this.#kernel = kernel
  }

  /**
   * Chooses and reserves ports, all or none: exact requests first, then ranges, then any free ones. Both families get
   * the same number.
   * @returns one view for each request and address, in the order of the requests
   * @throws CnmError ERR_CNM_PORT_IN_USE naming the holder, ERR_CNM_PORTS_EXHAUSTED, ERR_CNM_ADDRESS_NOT_FOUND,
   *   ERR_CNM_NOT_PERMITTED, ERR_CNM_INVALID_ARGUMENT
   */
  async publish(owner: PortOwner, options: readonly PortOptions[], publishing: Publishing): Promise<PortView[]> {
    const requests = readRequests(options, publishing)
    const order = [...requests.keys()].sort((a, b) => freedom(requests[a]!) - freedom(requests[b]!))
    const made = new Map<number, Claim[]>()
    try {
      for (const index of order) made.set(index, await this.#reserve(owner, requests[index]!, publishing))
    } catch (error) {
      await this.#release([...made.values()].flat())
      throw error
    }
    const claims = [...requests.keys()].flatMap((index) => made.get(index)!)
    this.#claims.set(owner.id, [...(this.#claims.get(owner.id) ?? []), ...claims])
    return claims.map(({ port }) => port)
  }

  /**
   * The ports of an owner that a user means by host port, protocol (any, if absent) and host address (any, if absent).
   * @throws CnmError ERR_CNM_PORT_NOT_FOUND when one of them means none
   */
  find(owner: PortOwner, wanted: readonly PortSelection[]): PortView[] {
    const own = (this.#claims.get(owner.id) ?? []).map(({ port }) => port)
    return [...new Set(wanted.flatMap((selection) => selectPorts(owner.name, own, selection)))]
  }

  /** Gives ports back: these, or all that the owner has. */
  async withdraw(owner: Pick<PortOwner, 'id'>, ports?: readonly PortView[]): Promise<void> {
    const own = this.#claims.get(owner.id) ?? []
    const leaving = ports === undefined ? own : own.filter(({ port }) => ports.some((each) => isSamePort(each, port)))
    const staying = own.filter((claim) => !leaving.includes(claim))
    if (staying.length > 0) this.#claims.set(owner.id, staying)
    else this.#claims.delete(owner.id)
    await this.#release(leaving)
  }

  /**
   * Reserves again, after a restart, what an endpoint had. A port that somebody has taken meanwhile is reported, and
   * stays published all the same: the rules lead its packets to the endpoint.
   */
  async restore(owner: PortOwner, ports: readonly PortView[], publishing: Publishing): Promise<PortConflict[]> {
    const conflicts: PortConflict[] = []
    const claims: Claim[] = []
    for (const port of ports) {
      const result = await this.#kernel.reservePorts([reservations(port, publishing)])
      if ('fds' in result) claims.push(...claimsOf(owner, [port], publishing, result.fds))
      else conflicts.push({ port, holder: (await this.#holder(result.refused)) ?? 'another process' })
    }
    this.#claims.set(owner.id, claims)
    await this.serve(owner)
    return conflicts
  }

  /**
   * To be called after the rules of ports have come or gone: connections that the kernel remembers are led anew.
   * @param addresses the endpoint's, with or without prefix length
   */
  async forgetConnections(ports: readonly PortView[], addresses: readonly string[], publishing: Publishing): Promise<void> {
    const flows = ports.flatMap((port) => publishedPorts(port, addresses, publishing))
    if (flows.length > 0) await this.#kernel.forgetFlows(flows)
  }

  /** From now on the ports of an owner that need a proxy are served: the endpoint is there. */
  async serve(owner: Pick<PortOwner, 'id'>): Promise<void> {
    const proxied = (this.#claims.get(owner.id) ?? []).flatMap((claim) => claim.proxied)
    if (proxied.length === 0) return
    this.#proxy ??= new (await import('./ports/proxy/port-proxy.js')).PortProxy(this.#kernel)
    await this.#proxy.serve(proxied)
  }

  /** Everything that is held. */
  list(): { owner: PortOwner; port: PortView }[] {
    return [...this.#claims.values()].flat().map(({ owner, port }) => ({ owner, port }))
  }

  async close(): Promise<void> {
    const all = [...this.#claims.values()].flat()
    this.#claims.clear()
    await this.#release(all)
  }

  async #reserve(owner: PortOwner, request: PortRequest, publishing: Publishing): Promise<Claim[]> {
    let refused: Extract<ReservationResult, { errno: number }> | undefined
    for await (const candidates of this.#candidates(request)) {
      const alternatives = candidates.map((first) => views(request, first).map((port) => reservations(port, publishing)))
      const result = await this.#kernel.reservePorts(alternatives.map((each) => each.flat()))
      if (!('fds' in result)) {
        refused = result
        if (result.errno !== EADDRINUSE) break
        continue
      }
      const first = candidates[result.chosen]!
      if (request.candidates === undefined) this.#ephemeral.taken(request.protocol, first, request.count)
      return claimsOf(owner, views(request, first), publishing, result.fds)
    }
    throw await portFailure(request, refused, (port) => this.#holder(port))
  }

  async *#candidates({ candidates, protocol, count }: PortRequest): AsyncGenerator<number[]> {
    if (candidates === undefined) yield* this.#ephemeral.candidates(protocol, count)
    else yield candidates
  }

  /** Who has a port: one of ours, or whom the host knows. */
  async #holder(wanted: PortReservation): Promise<string | undefined> {
    const { protocol, port, address } = wanted
    for (const { owner, port: held } of this.list()) {
      if (held.protocol === protocol && held.hostPort <= port && port <= lastOf(held) && meet(held.hostAddress, address)) return owner.name
    }
    return holderOf(protocol, port)
  }

  async #release(claims: readonly Claim[]): Promise<void> {
    await this.#proxy?.end(claims.flatMap(({ proxied }) => proxied.map(({ reservation }) => reservation)))
    const fds = claims.flatMap((claim) => claim.fds)
    if (fds.length > 0) await this.#kernel.releasePorts(fds)
  }
}

const freedom = ({ candidates }: PortRequest): number => candidates?.length ?? Infinity

/** The sockets are in the order of the ports' reservations. */
function claimsOf(owner: PortOwner, ports: readonly PortView[], publishing: Publishing, fds: readonly number[]): Claim[] {
  let at = 0
  return ports.map((port) => {
    const reserved = reservations(port, publishing)
    const own = fds.slice(at, (at += reserved.length))
    const proxied = own.flatMap((reservation, index) => {
      const target = proxyTarget(port, publishing, reserved[index]!)
      return target === undefined ? [] : [{ reservation, target }]
    })
    return { owner, port, fds: own, proxied }
  })
}
