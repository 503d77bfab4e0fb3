import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { CnmError } from '../contracts/errors.js'
import { CURRENT_NETNS } from './namespaces.js'
import * as sys from './syscalls.js'
import { SystemCallError } from './system-call-error.js'

const DIRECTORY = '/run/libcnm'
const EWOULDBLOCK = 11

/**
 * One live controller per instance and host: an flock(2) on a file, which the kernel lets go when the process dies. A
 * host is a network namespace, so its number is part of the name.
 */
export class InstanceLock {
  readonly #held = new Map<string, number[]>()

  /** @throws CnmError ERR_CNM_INSTANCE_LOCKED with the process that has it */
  take(instance: string): void {
    mkdirSync(DIRECTORY, { recursive: true, mode: 0o755 })
    const fd = lock(instance, fileOf(instance))
    sys.truncateFile(fd)
    sys.write(fd, Buffer.from(`${process.pid}\n`))
    this.#held.set(instance, [fd])
  }

  /**
   * Takes an instance that somebody else had, on every host that shares our files: names in /run/netns say nothing of hosts.
   * @throws CnmError ERR_CNM_INSTANCE_LOCKED
   */
  takeOver(instance: string): void {
    const fds: number[] = []
    this.#held.set(instance, fds)
    try {
      for (const [name, path] of lockFiles()) if (name === instance) fds.push(lock(instance, path))
    } catch (error) {
      this.release(instance)
      throw error
    }
  }

  release(instance: string): void {
    for (const fd of this.#held.get(instance) ?? []) sys.close(fd)
    this.#held.delete(instance)
  }

  close(): void {
    for (const instance of [...this.#held.keys()]) this.release(instance)
  }
}

/** Instances that have, or had, a controller on this host. */
export const knownInstances = (): string[] => lockFiles().flatMap(([name, path]) => (path === fileOf(name) ? [name] : []))

const fileOf = (instance: string): string => `${DIRECTORY}/${instance}-${statSync(CURRENT_NETNS).ino}.lock`

function lockFiles(): [instance: string, path: string][] {
  return readdirSync(DIRECTORY).flatMap((file) => {
    const instance = /^([a-z][a-z0-9]{0,11})-\d+\.lock$/.exec(file)?.[1]
    return instance === undefined ? [] : [[instance, `${DIRECTORY}/${file}`]]
  })
}

function lock(instance: string, path: string): number {
  const fd = sys.open(path, sys.O_RDWR | sys.O_CREAT, 0o600)
  try {
    sys.lockFile(fd)
    return fd
  } catch (error) {
    sys.close(fd)
    if (error instanceof SystemCallError && error.errno === EWOULDBLOCK) throw held(instance, path)
    throw error
  }
}

function held(instance: string, path: string): CnmError {
  const pid = readFileSync(path, 'utf8').trim()
  const who = pid === '' ? 'another process' : `process ${pid} (${commandOf(pid)})`
  return new CnmError('ERR_CNM_INSTANCE_LOCKED', `instance ${instance} is in use by ${who}`, { object: `instance ${instance}` })
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ').trim()
  } catch {
    return 'of another process namespace'
  }
}
