import { stat } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import * as v from 'valibot'
import { CnmError } from '../../contracts/errors.js'
import { copyTree, exportTree, Folder, importTree, withFolder } from '../../kernel/index.js'
import type { Core } from '../core.js'
import type { OperationOptions } from '../options.js'
import { check } from '../validation.js'
import { createVolume } from './create.js'
import { borrow } from './internal-use.js'
import type { VolumeOptions } from './options.js'
import { Progress } from './progress.js'
import type { Volume } from './volume.js'

/** What is not given is as it is for the volume that is copied. */
export type VolumeCopyOptions = Omit<VolumeOptions, 'name'> & { name: string }

const signalOnly = v.strictObject({ signal: v.optional(v.instance(AbortSignal)) })

/** A new volume with the same data. It comes into being whole or not at all. */
export async function copyVolume(volume: Volume, operation: 'clone' | 'snapshot', given: VolumeCopyOptions): Promise<Volume> {
  const { core } = volume
  const same = given.driver === undefined || given.driver === volume.driver
  const options: VolumeOptions = {
    accessMode: volume.accessMode,
    ...given,
    driver: given.driver ?? volume.driver,
    options: given.options ?? (same ? { ...volume.view().options } : {}),
  }
  const source = await borrow(volume, operation, given.signal)
  const progress = new Progress(core, { volume: volume.name, operation })
  try {
    return await createVolume(core, options, {
      readOnly: operation === 'snapshot',
      fill: async (path) => {
        await refuseSame(volume, source.path, path)
        await withFolder(Folder.open(source.path), (from) =>
          withFolder(openEmpty(path), (to) =>
            copyTree(from, to, { files: core.kernel.files, signal: given.signal, progress: progress.at }),
          ),
        )
        progress.end()
      },
    })
  } catch (error) {
    throw copyFailure(error, `volume ${volume.name}: ${operation}`)
  } finally {
    await source.giveBack()
  }
}

/** What the file system or the stream says, as an error that names the copy. */
function copyFailure(error: unknown, what: string): unknown {
  if (!(error instanceof Error) || error instanceof CnmError || error instanceof AggregateError) return error
  if (error.name === 'AbortError') return new CnmError('ERR_CNM_ABORTED', `${what}: aborted`, { cause: error })
  const { code: errnoName, errno } = error as NodeJS.ErrnoException
  const details = typeof errno === 'number' ? { errno: Math.abs(errno), errnoName } : {}
  return new CnmError('ERR_CNM_KERNEL', `${what}: ${error.message}`, { ...details, cause: error })
}

/** Options that name a storage name the same one again. */
async function refuseSame(volume: Volume, from: string, to: string): Promise<void> {
  const [a, b] = await Promise.all([stat(from), stat(to)])
  if (a.dev !== b.dev || a.ino !== b.ino) return
  throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `volume ${volume.name}: with the same options the copy would be the same storage`, {
    field: 'options',
  })
}

async function openEmpty(path: string): Promise<Folder> {
  const folder = await Folder.open(path)
  if ((await folder.names()).filter((name) => name !== 'lost+found').length === 0) return folder
  await folder.close()
  throw new CnmError('ERR_CNM_VOLUME_IN_USE', `${path} has files already: a volume that begins with data needs an empty storage`)
}

/** The data as a tar stream. The volume is in use until the stream has ended or is destroyed. */
export async function exportVolume(volume: Volume, input: OperationOptions): Promise<Readable> {
  const { signal } = check(signalOnly, input, 'export of a volume')
  const { core } = volume
  const source = await borrow(volume, 'export', signal)
  const progress = new Progress(core, { volume: volume.name, operation: 'export' })
  let folder: Folder | undefined
  try {
    const opened = (folder = await Folder.open(source.path))
    return await exportTree(opened, { files: core.kernel.files, signal, progress: progress.at }, async () => {
      await opened.close()
      await source.giveBack()
      progress.end()
    })
  } catch (error) {
    await folder?.close()
    await source.giveBack()
    throw error
  }
}

/** A new volume with the content of a tar stream. It comes into being whole or not at all. */
export async function importVolume(core: Core, archive: Readable, options: VolumeOptions): Promise<Volume> {
  const progress = new Progress(core, { volume: options.name ?? '', operation: 'import' })
  const making = createVolume(core, options, {
    readOnly: false,
    fill: async (path) => {
      const files = { files: core.kernel.files, signal: options.signal, progress: progress.at }
      await withFolder(openEmpty(path), (to) => importTree(archive, to, files))
      progress.end()
    },
  })
  return making.catch((error: unknown) => {
    throw copyFailure(error, `volume ${options.name ?? ''}: import`)
  })
}
