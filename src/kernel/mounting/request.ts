/** How a mount restricts what is done through it. `atime` ones say when reading a file changes its time of access. */
export type MountFlag = 'ro' | 'nosuid' | 'nodev' | 'noexec' | 'noatime' | 'nodiratime' | 'strictatime' | 'nosymfollow'

/** How mounts below spread to other mount namespaces; with `r` those of all mounts below too. */
export type Propagation = 'private' | 'slave' | 'shared' | 'rprivate' | 'rslave' | 'rshared'

/** A folder or file that exists, seen at a second place. */
export interface BindSource {
  bind: string
  /** What of it: a path below, which no symbolic link and no `..` may lead out of. */
  subpath?: string
  /** With the mounts below it. Default false. */
  recursive?: boolean
}

/** A file system of its own. */
export interface FileSystemSource {
  type: string
  /** What it is made of: a block device, `server:/path`, a name. */
  device: string
  /** Options of the file system: `size=64m`, `vers=4`. */
  options: string[]
}

export interface MountRequest {
  source: BindSource | FileSystemSource
  /** Absolute path without symbolic links. It must exist unless `makeTarget` is given. */
  target: string
  /** Folder of the environment in which it is mounted; absent: the mount namespace of the process. */
  environment?: string
  flags?: MountFlag[]
  /** Default: as it comes from the source. */
  propagation?: Propagation
  /** Makes the target, on behalf of this user; see {@link MountPoints}. */
  makeTarget?: string
}

export interface UnmountRequest {
  target: string
  environment?: string
  /** Let it disappear at once, though somebody has files open there. Default: EBUSY then. */
  detach?: boolean
  /** On whose behalf the target was made. */
  madeFor?: string
}
