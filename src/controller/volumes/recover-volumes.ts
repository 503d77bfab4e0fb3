import { basename, dirname } from 'node:path'
import type { VolumeRecord } from '../../contracts/volume-records.js'
import type { Core } from '../core.js'
import { readRecord } from '../schema.js'
import { removeVolume } from './delete.js'
import { isInternal } from './internal-use.js'
import { endLease } from './leases.js'
import { mountStorage } from './mount-storage.js'
import { removeView, viewPath } from './read-only-view.js'
import { describeConsumer } from './users.js'
import { Volume } from './volume.js'
import { isOurs, isShared, readWriter, releaseWriter, takeWriter } from './writer.js'

/** How long a start waits for volumes to be mounted again; a server that does not answer must not hold up everything. */
const PATIENCE_MS = 5000

/** Builds the volumes from their records. */
export async function rebuildVolumes(core: Core): Promise<void> {
  const { collection, drivers, secrets } = core.volumes
  const records = (await core.store.list('volume/')).map((entry) => readRecord('volume', entry))
  for (const record of records.sort(byAge)) {
    const driver = await drivers.get(record.driver)
    collection.add(new Volume(core, record, driver, await secrets.read(record.id)))
  }
  for (const entry of await core.store.list('volume-lease/')) {
    const lease = readRecord('volume-lease', entry)
    collection.find(lease.volume)?.leases.set(lease.consumer, lease)
  }
  await secrets.keepOnly((id) => collection.find(id)?.id === id)
}

const byAge = (a: VolumeRecord, b: VolumeRecord): number => (a.created < b.created ? -1 : 1)

/**
 * Undoes or finishes what was interrupted, and compares leases with what the kernel has mounted: no mount without a
 * lease, and no lease without its mount. What fails comes as a warning, and is tried again at the next use or start.
 */
export async function recoverVolumes(core: Core): Promise<void> {
  const all = core.volumes.collection.list()
  if (all.length === 0) return
  const targets = new Set((await core.kernel.mounts()).map(({ target }) => target))
  await Promise.all(all.map((volume) => warned(volume, () => recoverVolume(volume, targets))))
  await removeOrphanedViews(core, targets)
  const mounting = Promise.all(
    all.map((volume) => warned(volume, () => core.serial.run([`volume/${volume.id}`], () => reachAgain(volume)))),
  )
  await Promise.race([mounting, patience()])
}

async function recoverVolume(volume: Volume, targets: ReadonlySet<string>): Promise<void> {
  if (volume.record.phase !== 'ready') return removeVolume(volume, false)
  volume.viewed = targets.has(viewPath(volume))
  for (const lease of [...volume.leases.values()]) if (lease.phase !== 'ready' || isInternal(lease.consumer)) await endLease(volume, lease)
  const path = volume.path
  if (volume.leases.size === 0 && path !== undefined && targets.has(path)) await volume.guardedDriver.unmount(volume.guarded())
  if (volume.viewed && !hasReaders(volume)) await removeView(volume)
  if (volume.accessMode === 'single-writer' && !isShared(volume)) await settleWriter(volume)
}

const hasReaders = ({ leases }: Volume): boolean => [...leases.values()].some(({ reads }) => reads > 0)

/** The write lease and the leases are in two records, perhaps in two stores. */
async function settleWriter(volume: Volume): Promise<void> {
  const holder = await readWriter(volume)
  const writers = [...volume.leases.values()].filter(({ writes }) => writes > 0)
  if (holder !== undefined && isOurs(volume, holder.record) && !writers.some(({ consumer }) => consumer === holder.record.consumer)) {
    await releaseWriter(volume, holder.record.consumer)
  }
  for (const { consumer } of writers) {
    const other = await takeWriter(volume, consumer)
    if (other === undefined) volume.core.troubles.clear(`volume/${volume.id}`)
    else trouble(volume, `${describeConsumer(volume.core, consumer)} had the write lease, which ${other.consumer} on ${other.node} has now`)
  }
}

/** The store of write leases that hosts share may not be reachable; what is mounted already stays. */
async function reachAgain(volume: Volume): Promise<void> {
  if (isShared(volume)) await settleWriter(volume)
  if (volume.leases.size > 0) await mountStorage(volume)
}

/** The cluster can be reached: who writes is agreed on, and what could not be mounted before is. */
export async function agreeOnWriters(core: Core): Promise<void> {
  for (const volume of core.volumes.collection.list())
    if (isShared(volume) && volume.record.phase === 'ready')
      await warned(volume, () => core.serial.run([`volume/${volume.id}`], () => reachAgain(volume)))
}

/** Of volumes that are not known any more. */
async function removeOrphanedViews(core: Core, targets: ReadonlySet<string>): Promise<void> {
  const folder = dirname(viewPath({ core, id: '-' }))
  for (const target of targets)
    if (dirname(target) === folder && core.volumes.collection.find(basename(target)) === undefined)
      await core.kernel.mounting.unmount({ target, detach: true })
}

const patience = (): Promise<void> => new Promise((resolve) => void setTimeout(resolve, PATIENCE_MS).unref())

/** Told once. */
function trouble(volume: Volume, message: string): void {
  const { troubles } = volume.core
  const about = `volume/${volume.id}`
  if (troubles.reason(about) !== message) warn(volume, message)
  troubles.set(about, message)
}

async function warned(volume: Volume, body: () => Promise<void>): Promise<void> {
  try {
    await body()
  } catch (error) {
    warn(volume, error instanceof Error ? error.message : String(error))
  }
}

const warn = ({ core, id, name }: Volume, message: string): void =>
  core.events.emit('warning', { message: `volume ${name}: ${message}`, about: id })
