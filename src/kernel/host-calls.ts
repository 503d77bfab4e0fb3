import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CnmError } from '../contracts/errors.js'
import type { Operation } from '../contracts/operations.js'
import type { KernelObject, KernelObjectKind, LinkObject, Place, RouteObject } from '../contracts/kernel-objects.js'
import { describe, handlerOf } from './handlers.js'
import { InstanceLock, knownInstances } from './instance-lock.js'
import { NETLINK_NETFILTER } from './handler.js'
import { isNamespacePath } from './namespaces.js'
import { forgetFlows, type PublishedPorts } from './ports/flows.js'
import { duplicatePorts, releasePorts, reservePorts, type PortReservation, type ReservationResult } from './ports/reservation.js'
import { fileCalls, type FileCalls } from './files/file-calls.js'
import { mountCalls, type MountCalls } from './mounting/mount-calls.js'
import { forwardDrops, type ForwardDrop } from './nftables/index.js'
import { HomeEnvironment } from './process/environment.js'
import type { EnvironmentSpec, ExitReport, SpawnResult, SpawnSpec } from './process/messages.js'
import { spawnInside } from './process/spawn.js'
import { addressesOf, announceLink, defaultRoutes, readLink } from './rtnetlink/index.js'
import { readSysctl } from './sysctl.js'
import type { Session } from './transaction/session.js'

/** What is to be read of one namespace. */
export interface ReadRequest {
  at: Place
  kinds: KernelObjectKind[]
  /** Sysctls, by path: there is no list of them. */
  sysctls: string[]
  /** Only these nftables tables, `inet cnm`. */
  tables: string[]
}

/** What drivers may want to know about the host; see HostFacts. */
export interface HostReading {
  ipv6: boolean
  bridgeNetfilter: (4 | 6)[]
  forwardDrops: ForwardDrop[]
  defaultRoutes: RouteObject[]
  links: { link: LinkObject; addresses: string[] }[]
}

/** Calls of the controller: reading many namespaces at once, the host's own state, programs inside sandboxes. */
export interface HostCalls extends MountCalls, FileCalls {
  read(requests: readonly ReadRequest[]): (KernelObject[] | null)[]
  hostFacts(links: readonly string[]): HostReading
  announce(at: Place, link: string): void
  reservePorts(alternatives: readonly (readonly PortReservation[])[]): ReservationResult
  releasePorts(fds: readonly number[]): void
  duplicatePorts(fds: readonly number[]): number[]
  forgetFlows(ports: readonly PublishedPorts[]): number
  lockInstance(instance: string): void
  instances(): string[]
  takeOverInstance(instance: string): void
  releaseInstance(instance: string): void
  describe(operations: readonly Operation[]): string[]
  namespaces(prefix: string): string[]
  makeEnvironment(spec: EnvironmentSpec): void
  dropEnvironment(folder: string): void
  spawn(spec: SpawnSpec): Promise<SpawnResult>
}

type Using = <T>(what: string, body: (session: Session) => T) => T

export function hostCalls(
  using: Using,
  exited: (report: ExitReport) => void,
): { [K in keyof HostCalls]: HostCalls[K] } & { close(): void } {
  const lock = new InstanceLock()
  let environment: HomeEnvironment | undefined
  const home = (): HomeEnvironment => (environment ??= new HomeEnvironment())
  return {
    read: (requests) => requests.map((request) => using('read', (session) => readNamespace(session, request))),
    hostFacts: (links) => using('read the host', (session) => readHost(session, links)),
    announce: (at, link) => using(`announce ${link}`, (session) => announceLink(session, at, link)),
    reservePorts: (alternatives) => using('reserve ports', (session) => session.inside('host', () => reservePorts(alternatives))),
    releasePorts: (fds) => releasePorts(fds),
    duplicatePorts: (fds) => duplicatePorts(fds),
    forgetFlows: (ports) =>
      using('forget connections', (session) => forgetFlows(session.socket('host', NETLINK_NETFILTER), ports, localAddresses(session))),
    lockInstance: (instance) => lock.take(instance),
    instances: knownInstances,
    takeOverInstance: (instance) => lock.takeOver(instance),
    releaseInstance: (instance) => lock.release(instance),
    describe: (operations) =>
      operations.map((operation) => describe(operation.do, operation.do === 'change' ? operation.to : operation.object)),
    namespaces: (prefix) => namespacesAt(prefix),
    makeEnvironment: (spec) => home().make(spec),
    dropEnvironment: (folder) => home().drop(folder),
    ...mountCalls(home),
    ...fileCalls,
    spawn: (spec) =>
      using(`spawn ${spec.command}`, (session) =>
        spawnInside(
          spec,
          (body) => session.inside(spec.namespace, () => (spec.environment === undefined ? body() : home().inside(spec.environment, body))),
          exited,
        ),
      ),
    close: () => {
      lock.close()
      environment?.close()
    },
  }
}

function readNamespace(session: Session, { at, kinds, sysctls, tables }: ReadRequest): KernelObject[] | null {
  if (at !== 'host' && !isNamespacePath(at)) return null
  const objects: KernelObject[] = at === 'host' ? [] : [{ kind: 'namespace', at }]
  for (const kind of kinds) {
    if (kind === 'namespace') continue
    const filter = kind.startsWith('nft-') ? tables : undefined
    for (const object of handlerOf(kind).list?.(at, session, filter) ?? []) objects.push(object)
  }
  session.inside(at, () => {
    for (const path of sysctls) {
      const value = tryRead(path)
      if (value !== undefined) objects.push({ kind: 'sysctl', at, path, value })
    }
  })
  return objects
}

/** A sysctl of a link that is gone is not an error. */
function tryRead(path: string): string | undefined {
  try {
    return readSysctl(path)
  } catch (error) {
    if (error instanceof CnmError || (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function readHost(session: Session, names: readonly string[]): HostReading {
  const routes = defaultRoutes(session, 'host')
  const wanted = new Set([...names, ...routes.flatMap(({ link }) => (link === undefined ? [] : [link]))])
  const links: HostReading['links'] = []
  for (const name of wanted) {
    const link = readLink(session, 'host', name)
    if (link !== undefined) links.push({ link, addresses: addressesOf(session, 'host', name) })
  }
  return { ipv6: hasIPv6(), bridgeNetfilter: bridgeNetfilter(), forwardDrops: dropsOf(session), defaultRoutes: routes, links }
}

/** Whether an address is the host's own. */
function localAddresses(session: Session): (address: string) => boolean {
  const own = new Set(
    handlerOf('address')
      .list?.('host', session)
      .map((object) => (object.kind === 'address' ? object.address.split('/')[0] : '')),
  )
  return (address) => own.has(address) || address.startsWith('127.')
}

function hasIPv6(): boolean {
  try {
    return readFileSync('/proc/sys/net/ipv6/conf/all/disable_ipv6', 'utf8') !== ''
  } catch {
    return false
  }
}

/** Empty where the kernel has no nf_tables, or does not let us look. */
function dropsOf(session: Session): ForwardDrop[] {
  try {
    return forwardDrops({ socket: session.socket('host', NETLINK_NETFILTER), at: 'host' })
  } catch (error) {
    if (error instanceof CnmError) return []
    throw error
  }
}

/** Families for which br_netfilter hands bridged packets to the IP hooks. */
function bridgeNetfilter(): (4 | 6)[] {
  const on = (call: string): boolean => tryRead(`net/bridge/bridge-nf-call-${call}`) === '1'
  return [...(on('iptables') ? [4 as const] : []), ...(on('ip6tables') ? [6 as const] : [])]
}

/** Paths of named namespaces that begin like this. */
function namespacesAt(prefix: string): string[] {
  const folder = prefix.slice(0, prefix.lastIndexOf('/'))
  try {
    return readdirSync(folder)
      .filter((name) => name.startsWith(prefix.slice(folder.length + 1)))
      .map((name) => join(folder, name))
  } catch {
    return []
  }
}
