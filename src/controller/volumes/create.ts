import { isDeepStrictEqual } from 'node:util'
import { CnmError } from '../../contracts/errors.js'
import type { VolumeRecord } from '../../contracts/volume-records.js'
import { abortable, type Core } from '../core.js'
import { checkName, newId } from '../identifiers.js'
import { undoable } from '../undo.js'
import { validVolume, type VolumeOptions } from './options.js'
import { putVolume, volumeKey } from './records.js'
import { refusePlanning } from './state.js'
import { Volume } from './volume.js'

/** The label by which users know anonymous volumes. */
export const ANONYMOUS = 'com.docker.volume.anonymous'

/** How a volume that begins with data comes to it. */
export interface Beginning {
  /** Writes the data; a volume that it cannot write whole does not come into being. */
  fill(path: string): Promise<void>
  readOnly: boolean
}

/** Makes a volume, or returns the one that has this name if it is the same. With a beginning, it must be a new one. */
export async function createVolume(core: Core, input: VolumeOptions, beginning?: Beginning): Promise<Volume> {
  core.alive()
  refusePlanning(core.volumes)
  const options = validVolume(input)
  const id = newId()
  const name = options.name === undefined ? id : checkName(options.name, 'volume')
  abortable(options.signal, `volume ${name}`)
  const driver = await core.volumes.drivers.get(options.driver ?? 'local')
  const { shown, secrets } = driver.checkOptions(options.options ?? {})
  return core.serial.run([nameKey(name)], async () => {
    const existing = named(core, name)
    if (existing !== undefined) return sameOrRefused(existing, options, beginning !== undefined)
    const record: VolumeRecord = {
      kind: 'volume',
      version: 1,
      id,
      name,
      created: new Date().toISOString(),
      phase: 'creating',
      driver: driver.name,
      options: shown,
      labels: { ...options.labels, ...(options.name === undefined && { [ANONYMOUS]: '' }) },
      accessMode: options.accessMode ?? 'shared',
      readOnly: beginning?.readOnly ?? false,
      content: beginning === undefined ? 'new' : 'used',
    }
    const secret = secrets.length === 0 ? undefined : { options: { ...options.options }, texts: secrets }
    const volume = new Volume(core, record, driver, secret)
    await make(volume, options.signal, beginning)
    core.events.emit('volume:create', { volume })
    return volume
  })
}

export const nameKey = (name: string): string => `volume-name/${name}`

/** By its whole name: not by the beginning of an id. */
function named(core: Core, name: string): Volume | undefined {
  const found = core.volumes.collection.find(name)
  return found?.name === name ? found : undefined
}

async function make(volume: Volume, signal: AbortSignal | undefined, beginning?: Beginning): Promise<void> {
  const { core, guardedDriver: driver, secrets } = volume
  await undoable(async (undo) => {
    await core.store.commit([putVolume(volume.record)])
    undo.push(() => core.store.commit([{ delete: volumeKey(volume.record) }]))
    if (secrets !== undefined) {
      undo.push(() => core.volumes.secrets.remove(volume.id))
      await core.volumes.secrets.write(volume.id, secrets)
    }
    undo.push(() => driver.remove(volume.guarded()))
    const state = await driver.create(volume.guarded(), signal)
    if (state !== undefined) volume.record = { ...volume.record, state }
    if (beginning !== undefined) {
      undo.push(() => driver.unmount(volume.guarded()))
      await beginning.fill(await driver.mount(volume.guarded(), signal))
      await driver.unmount(volume.guarded())
    }
    const ready: VolumeRecord = { ...volume.record, phase: 'ready' }
    await core.store.commit([putVolume(ready)])
    volume.record = ready
    core.volumes.collection.add(volume)
  })
}

function sameOrRefused(existing: Volume, { driver = 'local', options = {}, accessMode }: VolumeOptions, mustBeNew: boolean): Volume {
  const same =
    existing.driver === driver &&
    isDeepStrictEqual({ ...existing.view().options }, { ...options }) &&
    (accessMode ?? existing.accessMode) === existing.accessMode
  if (same && !mustBeNew && !existing.readOnly) return existing
  const why = same ? 'exists already' : 'exists already, with another driver, access mode or other options'
  throw new CnmError('ERR_CNM_VOLUME_EXISTS', `volume ${existing.name} ${why}`, { object: `volume ${existing.name}`, field: 'name' })
}
