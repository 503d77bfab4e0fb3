import { mkdirSync, readFileSync, statSync } from 'node:fs'
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
  #fd: number | undefined

  /** @throws CnmError ERR_CNM_INSTANCE_LOCKED with the process that has it */
  take(instance: string): void {
    mkdirSync(DIRECTORY, { recursive: true, mode: 0o755 })
    const path = `${DIRECTORY}/${instance}-${statSync(CURRENT_NETNS).ino}.lock`
    const fd = sys.open(path, sys.O_RDWR | sys.O_CREAT, 0o600)
    try {
      sys.lockFile(fd)
    } catch (error) {
      sys.close(fd)
      if (error instanceof SystemCallError && error.errno === EWOULDBLOCK) throw held(instance, path)
      throw error
    }
    sys.truncateFile(fd)
    sys.write(fd, Buffer.from(`${process.pid}\n`))
    this.#fd = fd
  }

  release(): void {
    if (this.#fd !== undefined) sys.close(this.#fd)
    this.#fd = undefined
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
