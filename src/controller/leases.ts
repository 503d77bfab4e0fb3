import type { IpamDriver, Lease, LeaseContext } from '../contracts/ipam-driver.js'
import type { EndpointLeaseRecord, EndpointRecord } from '../contracts/records.js'
import { announce } from './announce.js'
import { ipamDriver, save, type Core } from './core.js'
import { changeJoined } from './endpoint-change.js'
import type { Endpoint } from './endpoint.js'
import { hookFailure, limitedHook } from './hook-limit.js'
import { checkLease, sameConfiguration, withLease } from './lease-record.js'
import { isGone } from './pools.js'
import type { Sandbox } from './sandbox.js'
import type { Undo } from './undo.js'

/** The longest that setTimeout can wait. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** A lease between acquire and release. */
interface LiveLease {
  readonly end: AbortController
  expiry?: NodeJS.Timeout
}

/**
 * Leases of joined endpoints: acquired when the interface is in its sandbox, followed while it stays there, given back
 * before it leaves. What the driver reports later (renewed, other address, lost) is applied to the running interface.
 */
export class Leases {
  readonly #core: Core
  readonly #live = new Map<string, LiveLease>()

  constructor(core: Core) {
    this.#core = core
  }

  /**
   * Acquires what the endpoint needs, whose interface is in the sandbox without these addresses. Returns the record
   * with them.
   */
  async acquire(endpoint: Endpoint, sandbox: Sandbox, joining: EndpointRecord, undo: Undo, signal?: AbortSignal): Promise<EndpointRecord> {
    let record = joining
    for (const held of joining.leases ?? []) {
      const live = this.#begin(endpoint, held.pool)
      undo.push(() => this.#end(endpoint, held.pool))
      const lease = await this.#ask(endpoint, sandbox, joining, held, AbortSignal.any([live.end.signal, ...(signal ? [signal] : [])]))
      record = withLease(record, endpoint.network.record.pools, held.pool, lease)
      undo.push(() => {
        this.#end(endpoint, held.pool)
        return this.#giveBack(endpoint, sandbox, joining, lease)
      })
      this.#watch(endpoint, sandbox, held.pool, lease)
    }
    return record
  }

  /** Gives the leases back, before the interface leaves. A driver that fails in this is told of, and does not hold it up. */
  async release(endpoint: Endpoint, sandbox: Sandbox): Promise<void> {
    const { record } = endpoint
    for (const held of record.leases ?? []) {
      this.#end(endpoint, held.pool)
      if (!record.addresses.some(({ pool }) => pool === held.pool)) continue
      await this.#giveBack(endpoint, sandbox, record, leaseOf(record, held))
    }
  }

  /** After a restart: every lease is the driver's to follow again. Nothing waits for it. */
  resume(): void {
    for (const endpoint of this.#core.endpoints.values()) {
      const { record, sandbox } = endpoint
      if (sandbox === undefined) continue
      for (const held of record.leases ?? []) void this.#resumeOne(endpoint, sandbox, held)
    }
  }

  close(): void {
    for (const live of this.#live.values()) finish(live)
    this.#live.clear()
  }

  async #resumeOne(endpoint: Endpoint, sandbox: Sandbox, held: EndpointLeaseRecord): Promise<void> {
    const { end } = this.#begin(endpoint, held.pool)
    this.#watch(endpoint, sandbox, held.pool, leaseOf(endpoint.record, held))
    try {
      const lease = await this.#ask(endpoint, sandbox, endpoint.record, held, end.signal)
      await this.#change(endpoint, sandbox, held.pool, lease)
    } catch (error) {
      if (!end.signal.aborted) this.#warn(endpoint, `its lease could not be confirmed: ${(error as Error).message}`)
    }
  }

  async #ask(endpoint: Endpoint, sandbox: Sandbox, record: EndpointRecord, held: EndpointLeaseRecord, signal: AbortSignal): Promise<Lease> {
    const ipam = this.#driver(endpoint)
    const who = `IPAM driver ${ipam.name}`
    const context = this.#context(endpoint, sandbox, record, this.#live.get(keyOf(endpoint, held.pool))!.end.signal, held.pool)
    const lease = await limitedHook(who, 'acquire', async () => ipam.acquire!(leaseOf(record, held), context), signal)
    return checkLease(who, held.family, lease)
  }

  async #giveBack(endpoint: Endpoint, sandbox: Sandbox, record: EndpointRecord, lease: Lease): Promise<void> {
    const ipam = this.#driver(endpoint)
    try {
      await limitedHook(`IPAM driver ${ipam.name}`, 'release', async (signal) =>
        ipam.release?.(lease, this.#context(endpoint, sandbox, record, signal)),
      )
    } catch (error) {
      if (!isGone(error)) this.#warn(endpoint, `lease ${lease.address} could not be given back: ${(error as Error).message}`)
    }
  }

  #context(endpoint: Endpoint, sandbox: Sandbox, record: EndpointRecord, signal: AbortSignal, pool?: string): LeaseContext {
    return {
      namespace: sandbox.record.namespace,
      link: record.interfaceName!,
      mac: record.mac,
      hostname: sandbox.hostname,
      signal,
      changed: (lease) => {
        if (pool !== undefined) void this.#change(endpoint, sandbox, pool, lease)
      },
    }
  }

  /** The lease is renewed, another one, or lost (`undefined`). What is not current any more is not heard. */
  async #change(endpoint: Endpoint, sandbox: Sandbox, pool: string, lease: Lease | undefined): Promise<void> {
    const live = this.#live.get(keyOf(endpoint, pool))
    try {
      await this.#core.serial.run([`endpoint/${endpoint.id}`, `sandbox/${sandbox.id}`], async () => {
        if (live === undefined || live.end.signal.aborted || endpoint.record.sandbox !== sandbox.id) return
        const family = endpoint.record.leases!.find((held) => held.pool === pool)!.family
        if (lease !== undefined) checkLease(`IPAM driver ${endpoint.network.record.ipamDriver}`, family, lease)
        await this.#apply(endpoint, sandbox, withLease(endpoint.record, endpoint.network.record.pools, pool, lease))
        this.#watch(endpoint, sandbox, pool, lease)
      })
    } catch (error) {
      const failure = hookFailure(`IPAM driver ${endpoint.network.record.ipamDriver}`, 'changed', error)
      this.#warn(endpoint, `a change of its lease could not be applied: ${failure.message}`)
    }
  }

  async #apply(endpoint: Endpoint, sandbox: Sandbox, next: EndpointRecord): Promise<void> {
    const before = endpoint.record
    if (sameConfiguration(before, next)) {
      await save(this.#core, [next])
      endpoint.record = next
      return
    }
    await changeJoined(endpoint, next)
    this.#core.names.changed(endpoint, sandbox)
    await sandbox.environment.refresh()
    announce(endpoint, sandbox)
    if (next.addresses.length < before.addresses.length) this.#warn(endpoint, 'its lease has ended and was not renewed')
  }

  /**
   * An address is not used beyond the end of its lease, whatever the driver does. How long that is, is found once: a clock
   * that is set afterwards changes nothing.
   */
  #watch(endpoint: Endpoint, sandbox: Sandbox, pool: string, lease: Lease | undefined): void {
    if (lease?.expires === undefined) return clearTimeout(this.#live.get(keyOf(endpoint, pool))?.expiry)
    this.#expire(endpoint, sandbox, pool, performance.now() + lease.expires - Date.now())
  }

  /** @param end by performance.now() */
  #expire(endpoint: Endpoint, sandbox: Sandbox, pool: string, end: number): void {
    const live = this.#live.get(keyOf(endpoint, pool))
    if (live === undefined) return
    clearTimeout(live.expiry)
    const left = end - performance.now()
    const then = (): void => {
      if (left > LONGEST_TIMER_MS) this.#expire(endpoint, sandbox, pool, end)
      else void this.#change(endpoint, sandbox, pool, undefined)
    }
    live.expiry = setTimeout(then, Math.max(0, Math.min(left, LONGEST_TIMER_MS)))
    live.expiry.unref()
  }

  #begin(endpoint: Endpoint, pool: string): LiveLease {
    const live = { end: new AbortController() }
    this.#live.set(keyOf(endpoint, pool), live)
    return live
  }

  #end(endpoint: Endpoint, pool: string): void {
    const key = keyOf(endpoint, pool)
    const live = this.#live.get(key)
    if (live === undefined) return
    finish(live)
    this.#live.delete(key)
  }

  #driver(endpoint: Endpoint): IpamDriver {
    return ipamDriver(this.#core, endpoint.network.record.ipamDriver, endpoint.network.scope)
  }

  #warn(endpoint: Endpoint, text: string): void {
    const message = `endpoint ${endpoint.name} of network ${endpoint.network.name}: ${text}`
    this.#core.events.emit('warning', { message, about: endpoint.id })
  }
}

const keyOf = (endpoint: Endpoint, pool: string): string => `${endpoint.id} ${pool}`

function finish(live: LiveLease): void {
  clearTimeout(live.expiry)
  live.end.abort()
}

function leaseOf(record: EndpointRecord, { pool, address, gateway, expires, data }: EndpointLeaseRecord): Lease {
  return { pool, address, owner: record.id, gateway, expires, data }
}
