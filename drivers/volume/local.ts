import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { CnmError } from '../../src/contracts/errors.js'
import type { JsonValue } from '../../src/contracts/store.js'
import type { VolumeDriver, VolumeView } from '../../src/contracts/volume-driver.js'
import { Folder, measure, removeTree, withFolder, type Kernel, type MountRequest } from '../../src/kernel/index.js'
import { setAppearance } from './appearance.js'
import { apart } from './apart.js'
import { parseLocalOptions } from './options.js'
import { redact } from './redact.js'
import { mayWait, mountRequest } from './request.js'
import { sharedStorage } from './shared-storage.js'
import { limitSize, unlimitSize } from './size.js'

const FOLDER_MODE = 0o755
const PRIVATE = 0o700
const DATA = '_data'

/**
 * Volumes on this host: a folder each, or whatever the kernel can mount. Options as users know them: `type`, `device`,
 * `o`; see docs/volume.md.
 */
export function local({ kernel }: { kernel: Kernel }): VolumeDriver {
  return new LocalDriver(kernel)
}

class LocalDriver implements VolumeDriver {
  readonly name = 'local'
  readonly #kernel: Kernel
  #directory = ''

  constructor(kernel: Kernel) {
    this.#kernel = kernel
  }

  async start({ directory }: { directory: string }): Promise<void> {
    this.#directory = directory
  }

  checkOptions(options: Readonly<Record<string, string>>): ReturnType<typeof redact> {
    parseLocalOptions(options)
    return redact(options)
  }

  path({ name }: VolumeView): string {
    return join(this.#directory, name, DATA)
  }

  storage({ options }: VolumeView): string | undefined {
    return sharedStorage(parseLocalOptions(options))
  }

  async create(volume: VolumeView): Promise<void> {
    const options = parseLocalOptions(volume.options)
    await mkdir(join(this.#directory, volume.name), { recursive: true, mode: PRIVATE })
    await mkdir(this.path(volume), { recursive: true, mode: FOLDER_MODE })
    if (options.type !== undefined) return
    if (options.size !== undefined) await limitSize(this.#kernel, this.path(volume), options.size)
    await setAppearance(this.#kernel, this.path(volume), options)
  }

  async remove(volume: VolumeView): Promise<void> {
    await this.#refuseMounted(volume)
    if (parseLocalOptions(volume.options).size !== undefined) await unlimitSize(this.#kernel, this.path(volume)).catch(ignoreMissing)
    await withFolder(Folder.open(this.#directory), (folder) => removeTree(folder, volume.name)).catch(ignoreMissing)
  }

  async mount(volume: VolumeView, signal: AbortSignal): Promise<string> {
    const target = this.path(volume)
    const options = parseLocalOptions(volume.options)
    if (options.type === undefined || (await this.#isMounted(target))) return target
    const request = (await mountRequest(options, target))!
    await this.#mount(request, signal)
    if ('bind' in request.source || request.flags?.includes('ro')) return target
    await setAppearance(this.#kernel, target, { ...options, label: undefined })
    return target
  }

  async unmount(volume: VolumeView, signal: AbortSignal): Promise<void> {
    const target = this.path(volume)
    if (parseLocalOptions(volume.options).type === undefined || !(await this.#isMounted(target))) return
    await apart(
      signal,
      (kernel) => kernel.mounting.unmount({ target }),
      async () => undefined,
    )
  }

  usage(volume: VolumeView, signal: AbortSignal): Promise<number> {
    return measure(this.path(volume), signal)
  }

  async status(volume: VolumeView): Promise<Record<string, JsonValue>> {
    return { mounted: await this.#isMounted(this.path(volume)) }
  }

  async #mount(request: MountRequest, signal: AbortSignal): Promise<void> {
    if (!mayWait(request)) return this.#kernel.mounting.mount(request)
    await apart(
      signal,
      (kernel) => kernel.mounting.mount(request),
      () => this.#kernel.mounting.unmount({ target: request.target, detach: true }),
    )
  }

  async #isMounted(target: string): Promise<boolean> {
    return (await this.#kernel.mounts()).some((mount) => mount.target === target)
  }

  /** What is mounted in it would be emptied too. */
  async #refuseMounted(volume: VolumeView): Promise<void> {
    const top = join(this.#directory, volume.name)
    const found = (await this.#kernel.mounts()).find(({ target }) => target.startsWith(`${top}/`))
    if (found === undefined) return
    throw new CnmError('ERR_CNM_VOLUME_IN_USE', `volume ${volume.name}: something is mounted at ${found.target}`, {
      object: `volume ${volume.name}`,
    })
  }
}

function ignoreMissing(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
}
