/** What the programs of one sandbox see of the host's file system: all of it, with some files of their own in place. */
export interface EnvironmentSpec {
  /** Folder for the namespaces that make it up; made by the kernel thread, removed with the environment. */
  folder: string
  binds: { source: string; target: string }[]
  hostname: string
  /** What is mounted below this folder of the host is not for its programs: mounts of others, which would keep them alive. */
  without?: string
}

/** A program to start inside a network namespace. */
export interface SpawnSpec {
  /** Chosen by the caller; the exit is reported under it. */
  id: number
  namespace: string
  /** Folder of an environment; absent: the host's own mounts and hostname. */
  environment?: string
  command: string
  args: string[]
  options: {
    cwd?: string
    env?: Record<string, string>
    argv0?: string
    uid?: number
    gid?: number
    detached?: boolean
    shell?: boolean | string
  }
  /** For each descriptor of the program: a new stream to the caller, nothing, or a descriptor of this process. */
  stdio: ('pipe' | 'ignore' | number)[]
}

export interface SpawnResult {
  pid: number
  /** For each `pipe` the caller's end, which the caller closes; otherwise `null`. */
  streams: (number | null)[]
}

/** A program has ended. */
export interface ExitReport {
  id: number
  code: number | null
  signal: NodeJS.Signals | null
}
