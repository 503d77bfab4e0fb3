import type { Mount } from '../mountinfo.js'
import type { PlainCaller } from '../protocol.js'
import type { MountRequest, UnmountRequest } from './request.js'

/** Mounts for programs, in the mount namespace of the process or in the environment of a sandbox. */
export class Mounting {
  readonly #call: PlainCaller

  constructor(call: PlainCaller) {
    this.#call = call
  }

  /** Attaches a folder, a file or a file system, also where programs run already. Nothing is attached when it fails. */
  mount(request: MountRequest): Promise<void> {
    return this.#call('mount', request)
  }
  /**
   * Takes away what is mounted at a place. Without `detach` everything written is on its storage afterwards.
   * @returns false when nothing was mounted there
   * @throws CnmError with `errnoName` EBUSY when it is in use, without `detach`
   */
  unmount(request: UnmountRequest): Promise<boolean> {
    return this.#call('unmount', request)
  }
  /** The mounts of an environment; `undefined` when there is none. */
  async inside(environment: string): Promise<Mount[] | undefined> {
    return (await this.#call('mountsInside', environment)) ?? undefined
  }
  /** Whether what is mounted at a target in an environment is this folder or file of the host. */
  shows(environment: string, source: string, target: string): Promise<boolean> {
    return this.#call('isMounted', environment, source, target)
  }
  /** Opens a folder as the programs of an environment see it. The descriptor is the caller's. */
  openInside(environment: string, path: string): Promise<number> {
    return this.#call('openInside', environment, path)
  }
  /** Users of mount points that were made, by the beginning of their names. */
  pointUsers(prefix: string): Promise<{ user: string; target: string }[]> {
    return this.#call('mountPointUsers', prefix)
  }
  /** Removes what was made for a user, as far as it is empty and nobody else's. */
  forgetPoints(target: string, user: string): Promise<void> {
    return this.#call('forgetMountPoints', target, user)
  }
}
