import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import * as sys from '../syscalls.js'
import type { ExitReport, SpawnResult, SpawnSpec } from './messages.js'

/**
 * Starts a program from the kernel thread: a new process takes over the namespaces of the thread that forks it. The
 * thread's own event loop learns of the exit.
 *
 * @param inside runs a function with the thread in the network namespace and environment of the program
 * @throws the error of node:child_process when the program cannot be started
 */
export async function spawnInside(
  spec: SpawnSpec,
  inside: <T>(body: () => T) => T,
  exited: (report: ExitReport) => void,
): Promise<SpawnResult> {
  const streams: (number | null)[] = []
  const stdio: ('ignore' | number)[] = []
  const theirs: number[] = []
  let child: ChildProcess
  try {
    for (const wanted of spec.stdio) {
      if (wanted !== 'pipe') {
        stdio.push(wanted)
        streams.push(null)
        continue
      }
      const [ours, other] = sys.socketPair()
      streams.push(ours)
      theirs.push(other)
      stdio.push(other)
    }
    child = inside(() => spawn(spec.command, spec.args, { ...spec.options, stdio }))
    // Node tells of a failed start in the next turn of the loop.
    if (child.pid === undefined) throw (await once(child, 'error'))[0] as Error
  } catch (error) {
    for (const fd of streams) if (fd !== null) sys.close(fd)
    throw error
  } finally {
    for (const fd of theirs) sys.close(fd)
  }
  child.on('exit', (code, signal) => exited({ id: spec.id, code, signal }))
  return { pid: child.pid, streams }
}
