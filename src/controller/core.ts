import type { Description, Owner } from '../contracts/description.js'
import { CnmError } from '../contracts/errors.js'
import type { IpamDriver } from '../contracts/ipam-driver.js'
import type { HostFacts } from '../contracts/network-driver.js'
import type { AnyRecord, PartRecord } from '../contracts/records.js'
import type { JsonValue, Store, StoreChange } from '../contracts/store.js'
import type { Engine } from '../engine/engine.js'
import type { Kernel } from '../kernel/index.js'
import type { Cleanups } from './cleanups.js'
import type { Cluster } from './cluster/cluster.js'
import type { Collection } from './collection.js'
import type { DriverRegistry } from './driver-registry.js'
import type { Endpoint } from './endpoint.js'
import type { ControllerEvents } from './events.js'
import type { AnyNetworkDriver, GuardedDriver } from './guarded-driver.js'
import type { KeyVault } from './key-vault.js'
import type { Leases } from './leases.js'
import type { NameService } from './name-service.js'
import type { HostLinks } from './host-links.js'
import type { Network } from './network.js'
import type { Ports } from './ports.js'
import type { Redescriptions } from './redescriptions.js'
import type { Sandbox } from './sandbox.js'
import type { Serial } from './serial.js'
import type { Troubles } from './troubles.js'
import type { Turns } from './turns.js'
import type { VolumeState } from './volumes/state.js'

/** Tells the user of the controller. */
export type Emit = <K extends keyof ControllerEvents>(name: K, ...event: ControllerEvents[K]) => void

/** What the objects of one controller share. Internal: the public classes hold one each. */
export interface Core {
  readonly instance: string
  readonly directory: string
  readonly kernel: Kernel
  readonly engine: Engine
  readonly keys: KeyVault
  readonly store: Store
  readonly drivers: DriverRegistry<AnyNetworkDriver, GuardedDriver>
  readonly ipam: ReadonlyMap<string, IpamDriver>
  /** Whether an IPAM driver keeps its leases in this store and can change them in a commit of ours. */
  sharesStore(ipam: IpamDriver): boolean
  readonly ports: Ports
  readonly names: NameService
  readonly leases: Leases
  readonly serial: Serial
  readonly turns: Turns
  readonly redescriptions: Redescriptions
  readonly hostLinks: HostLinks
  readonly troubles: Troubles
  readonly cleanups: Cleanups
  /** Only of controllers that are opened with one. */
  readonly cluster: Cluster | undefined
  readonly networks: Collection<Network>
  readonly sandboxes: Collection<Sandbox>
  readonly endpoints: Map<string, Endpoint>
  readonly volumes: VolumeState
  readonly events: { readonly emit: Emit }
  readonly defaultPools: readonly { base: string; size: number }[] | undefined
  readonly defaultNetworkOptions: Readonly<Record<string, Readonly<Record<string, string>>>>
  /** Fails once the controller has been closed. @throws CnmError ERR_CNM_CLOSED */
  alive(): void
  hostFacts(links: readonly string[]): Promise<HostFacts>
}

export type StoredRecord = AnyRecord[keyof AnyRecord]

type Named = Pick<Exclude<StoredRecord, PartRecord>, 'kind' | 'id'> | Pick<PartRecord, 'kind' | 'network' | 'name'>

export const recordKey = (record: Named): string =>
  record.kind === 'part' ? `part/${record.network}/${record.name}` : `${record.kind}/${record.id}`
export const ownerOf = (record: Named): Owner =>
  record.kind === 'part' ? `network/${record.network}/${record.name}` : `${record.kind}/${record.id}`

export const putRecord = (record: StoredRecord): StoreChange => ({ put: recordKey(record), value: record as unknown as JsonValue })

/** Writes records, all or none; with `forget`, deletes others in the same commit. */
export async function save(core: Core, records: readonly StoredRecord[], forget: readonly StoredRecord[] = []): Promise<void> {
  await core.store.commit([...records.map(putRecord), ...forget.map((record) => ({ delete: recordKey(record) }))])
}

/** @param scope of the network: in a cluster, the built-in ones keep addresses of scope `global` in its store */
export function ipamDriver(core: Core, name: string, scope: 'local' | 'global'): IpamDriver {
  const driver = (scope === 'global' ? core.cluster?.ipam.get(name) : undefined) ?? core.ipam.get(name)
  if (driver === undefined) {
    const known = [...core.ipam.keys()].join(', ')
    throw new CnmError('ERR_CNM_DRIVER_NOT_FOUND', `no IPAM driver ${name}; there are: ${known}`, { field: 'ipam.driver' })
  }
  return driver
}

/** Ends the wait for something that cannot be interrupted itself. @throws CnmError ERR_CNM_ABORTED */
export function abortable(signal: AbortSignal | undefined, what: string): void {
  if (signal?.aborted) throw new CnmError('ERR_CNM_ABORTED', `${what}: aborted`, { cause: signal.reason })
}

export type Changes = Map<Owner, Description | undefined>
