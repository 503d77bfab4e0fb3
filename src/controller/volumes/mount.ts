import { abortable } from '../core.js'
import { acquire, notMounted, release, type Share } from './leases.js'
import { validConsumer, validMount, validUnmount, type VolumeMountOptions, type VolumeUnmountOptions } from './options.js'
import { showView } from './read-only-view.js'
import type { Volume } from './volume.js'
import { isOurs, readWriter, releaseWriter } from './writer.js'

/** The public mount: a path of the host, of the read-only view where the consumer may only read. */
export async function mountFor(volume: Volume, who: string, input: VolumeMountOptions): Promise<string> {
  const consumer = validConsumer(who)
  const { readOnly, takeOver, signal } = validMount(input)
  abortable(signal, `volume ${volume.name}`)
  const acquired = await acquire(volume, { consumer, readOnly, takeOver, signal })
  try {
    const path = acquired.readOnly
      ? await volume.core.serial.run([`volume/${volume.id}`], () => showView(volume, acquired.path))
      : acquired.path
    volume.core.events.emit('volume:mount', { volume, consumer, readOnly: acquired.readOnly })
    return path
  } catch (error) {
    await release(volume, consumer, acquired.readOnly ? 'read' : 'write')
    throw error
  }
}

export async function unmountFor(volume: Volume, who: string, input: VolumeUnmountOptions): Promise<void> {
  const consumer = validConsumer(who)
  const { readOnly, all = false } = validUnmount(input)
  volume.core.alive()
  const lease = volume.leases.get(consumer)
  if (lease === undefined && all && (await takeFromElsewhere(volume, consumer))) return
  if (lease === undefined) throw notMounted(volume, consumer)
  const chosen: Share = readOnly === undefined ? (lease.writes > 0 ? 'write' : 'read') : readOnly ? 'read' : 'write'
  const held = chosen === 'write' ? lease.writes : lease.reads
  if (!all && held === 0 && lease.phase === 'ready') throw notMounted(volume, consumer)
  await release(volume, consumer, all ? 'all' : chosen)
  volume.core.events.emit('volume:unmount', { volume, consumer })
}

/** The write lease of a consumer on a host that is no more. @returns whether it had one */
async function takeFromElsewhere(volume: Volume, consumer: string): Promise<boolean> {
  const holder = volume.accessMode === 'single-writer' ? await readWriter(volume) : undefined
  if (holder === undefined || holder.record.consumer !== consumer || isOurs(volume, holder.record)) return false
  await releaseWriter(volume, consumer, true)
  return true
}
