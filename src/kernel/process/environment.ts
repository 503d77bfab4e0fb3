import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, rmdirSync, statfsSync } from 'node:fs'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { errnoOf } from '../errors.js'
import { parseMountinfo } from '../mountinfo.js'
import * as sys from '../syscalls.js'
import type { EnvironmentSpec } from './messages.js'

const { EINVAL, EPERM } = constants.errno
const NSFS_MAGIC = 0x6e736673
const MOUNTS = '/proc/thread-self/ns/mnt'
const HOSTNAME = '/proc/thread-self/ns/uts'

/** The mount and UTS namespaces in which the programs of one sandbox run, kept alive by bind mounts in its folder. */
interface EnvironmentFiles {
  mounts: string
  hostname: string
}

const filesIn = (folder: string): EnvironmentFiles => ({ mounts: join(folder, 'mnt'), hostname: join(folder, 'uts') })

/** The namespaces that the kernel thread lives in, to come back to. */
export class HomeEnvironment {
  readonly #mounts = sys.open(MOUNTS, sys.O_RDONLY)
  readonly #hostname = ownHostname()

  constructor() {
    // A thread that shares root and working directory with others may not change its mount namespace.
    sys.unshare(sys.CLONE_FS)
  }

  /**
   * Makes the environment unless it is there: a copy of the host's mounts, which follows the host's later ones, with
   * the given files bound over its own, and a hostname of its own.
   */
  make({ folder, binds, hostname, without }: EnvironmentSpec): void {
    const files = filesIn(folder)
    if (isBound(files.mounts) && isBound(files.hostname)) return
    for (const file of [files.mounts, files.hostname]) unbind(file)
    // A mount namespace may only be bound where mounts do not spread: into itself it would be a loop.
    ensurePrivateFolder(dirname(folder))
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    onSomeProcessor(() => this.#make(files, binds, hostname, without))
  }

  #make(files: EnvironmentFiles, binds: EnvironmentSpec['binds'], hostname: string, without: EnvironmentSpec['without']): void {
    let made: { mounts: number; hostname: number } | undefined
    sys.unshare(sys.CLONE_NEWNS | sys.CLONE_NEWUTS)
    try {
      sys.mount(null, '/', null, sys.MS_REC | sys.MS_SLAVE)
      if (without !== undefined) leaveOut(without)
      for (const { source, target } of binds) if (existsSync(target)) sys.mount(source, target, null, sys.MS_BIND)
      sys.setHostname(hostname)
      made = { mounts: sys.open(MOUNTS, sys.O_RDONLY), hostname: sys.open(HOSTNAME, sys.O_RDONLY) }
    } finally {
      this.#return()
    }
    try {
      bind(made.mounts, files.mounts)
      bind(made.hostname, files.hostname)
    } finally {
      sys.close(made.mounts)
      sys.close(made.hostname)
    }
  }

  /** Runs `body` with the calling thread inside the environment. */
  inside<T>(folder: string, body: () => T): T {
    const files = filesIn(folder)
    const mounts = sys.open(files.mounts, sys.O_RDONLY)
    const hostname = sys.open(files.hostname, sys.O_RDONLY)
    try {
      sys.setns(hostname, sys.CLONE_NEWUTS)
      sys.setns(mounts, sys.CLONE_NEWNS)
      return body()
    } finally {
      this.#return()
      sys.close(mounts)
      sys.close(hostname)
    }
  }

  /** Whether the environment exists. */
  has(folder: string): boolean {
    return isBound(filesIn(folder).mounts)
  }

  /** Lets the namespaces go and removes the folder; it being gone is not an error. */
  drop(folder: string): void {
    const { mounts, hostname } = filesIn(folder)
    for (const file of [mounts, hostname]) unbind(file)
    rmSync(folder, { recursive: true, force: true })
    dropEmptyFolder(dirname(folder))
  }

  close(): void {
    sys.close(this.#mounts)
    sys.close(this.#hostname)
  }

  #return(): void {
    sys.setns(this.#mounts, sys.CLONE_NEWNS)
    sys.setns(this.#hostname, sys.CLONE_NEWUTS)
  }
}

/** In a user namespace the hostname is as a rule somebody else's, and there is no way back into it: then a copy is home. */
function ownHostname(): number {
  const current = sys.open(HOSTNAME, sys.O_RDONLY)
  try {
    sys.setns(current, sys.CLONE_NEWUTS)
    return current
  } catch (error) {
    sys.close(current)
    if (errnoOf(error) !== EPERM) throw error
    sys.unshare(sys.CLONE_NEWUTS)
    return sys.open(HOSTNAME, sys.O_RDONLY)
  }
}

/** Last ones first: a mount goes before the one that it is on. */
function leaveOut(folder: string): void {
  const below = parseMountinfo(readFileSync('/proc/thread-self/mountinfo', 'utf8')).filter(({ target }) => target.startsWith(`${folder}/`))
  for (const { target } of below.reverse()) sys.umount(target)
}

function isBound(file: string): boolean {
  return existsSync(file) && Number(statfsSync(file).type) === NSFS_MAGIC
}

/**
 * A mount namespace may be bound only in one with a lower number, so that there are no loops. Linux 6.18 and later give
 * numbers out per processor: on the processor that numbered ours, new ones are higher, on the others they may be lower.
 */
function onSomeProcessor(body: () => void): void {
  try {
    return body()
  } catch (error) {
    if (errnoOf(error) !== EINVAL) throw error
  }
  const allowed = sys.processors()
  let refusal: unknown
  try {
    for (const processor of allowed) {
      sys.runOn([processor])
      try {
        return body()
      } catch (error) {
        refusal = error
      }
    }
  } finally {
    sys.runOn(allowed)
  }
  throw refusal
}

function unbind(file: string): void {
  while (isBound(file)) sys.umount(file)
}

/** The private folder goes with the last environment. */
function dropEmptyFolder(folder: string): void {
  if (!existsSync(folder) || readdirSync(folder).length > 0) return
  try {
    sys.umount(folder)
  } catch {
    // It was never made a mount: no program has run.
  }
  rmdirSync(folder)
}

function bind(namespace: number, file: string): void {
  closeSync(openSync(file, 'w', 0o600))
  sys.mount(`/proc/thread-self/fd/${namespace}`, file, null, sys.MS_BIND)
}

/** A mount of its own that shares nothing with others. */
function ensurePrivateFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  try {
    sys.mount(null, folder, null, sys.MS_PRIVATE)
  } catch {
    // Not a mount point yet.
    sys.mount(folder, folder, null, sys.MS_BIND)
    sys.mount(null, folder, null, sys.MS_PRIVATE)
  }
}
