import type { ChildProcess, StdioOptions } from 'node:child_process'
import { CnmError } from '../contracts/errors.js'
import type { Sandbox } from './sandbox.js'
import { SandboxProcess } from './sandbox-process.js'

/** How a program is started inside a sandbox; a subset of node:child_process, with the same meaning. */
export interface SpawnOptions {
  cwd?: string
  /** Default: the environment of this process. */
  env?: NodeJS.ProcessEnv
  argv0?: string
  uid?: number
  gid?: number
  detached?: boolean
  shell?: boolean | string
  /** Default `pipe`. `ipc` and Stream objects without a descriptor are refused. */
  stdio?: StdioOptions
  /** Kills the program with SIGTERM. */
  signal?: AbortSignal
}

export interface RunOptions extends Omit<SpawnOptions, 'stdio' | 'detached'> {
  /** Written to its standard input. */
  input?: string | Uint8Array
  /** Milliseconds after which it is killed. Default: none. */
  timeout?: number
  /** Bytes of each output that are kept; more kills the program. Default 16 MiB. */
  maxBuffer?: number
}

export interface RunResult {
  /** `null` when a signal ended it. */
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

const MAX_BUFFER = 16 * 1024 * 1024

export async function spawnIn(sandbox: Sandbox, command: string, args: readonly string[], options: SpawnOptions): Promise<ChildProcess> {
  const { core } = sandbox
  core.alive()
  options.signal?.throwIfAborted()
  const { cwd, argv0, uid, gid, detached, shell } = options
  const env = Object.fromEntries(
    Object.entries(options.env ?? process.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
  const environment = await sandbox.environment.ready()
  const program = await core.kernel.spawn({
    namespace: sandbox.record.namespace,
    environment,
    command,
    args: [...args],
    options: { cwd, env, argv0, uid, gid, detached, shell },
    stdio: descriptors(options.stdio ?? 'pipe'),
  })
  const result = new SandboxProcess(program)
  sandbox.programs.add(result)
  result.once('exit', () => sandbox.programs.delete(result))
  const stop = (): void => void result.kill()
  options.signal?.addEventListener('abort', stop, { once: true })
  result.once('exit', () => options.signal?.removeEventListener('abort', stop))
  return result
}

export async function runIn(sandbox: Sandbox, command: string, args: readonly string[], options: RunOptions): Promise<RunResult> {
  const { input, timeout, maxBuffer = MAX_BUFFER, ...rest } = options
  const child = await spawnIn(sandbox, command, args, rest)
  const outputs = [child.stdout!, child.stderr!].map((stream) => {
    const chunks: Buffer[] = []
    let size = 0
    stream.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size <= maxBuffer) chunks.push(chunk)
      else child.kill('SIGKILL')
    })
    return () => {
      if (size > maxBuffer)
        throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `${command}: more than ${maxBuffer} bytes of output`, { field: 'maxBuffer' })
      return Buffer.concat(chunks).toString('utf8')
    }
  })
  const timer = timeout === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), timeout)
  // The program may end without reading its input.
  child.stdin!.on('error', () => undefined)
  child.stdin!.end(input)
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) =>
    child.once('close', (...end) => resolve(end)),
  )
  clearTimeout(timer)
  options.signal?.throwIfAborted()
  const [stdout, stderr] = outputs.map((text) => text())
  return { code, signal, stdout: stdout!, stderr: stderr! }
}

function descriptors(stdio: StdioOptions): ('pipe' | 'ignore' | number)[] {
  const list = typeof stdio === 'string' ? [stdio, stdio, stdio] : [...stdio]
  while (list.length < 3) list.push('pipe')
  return list.map((wanted, index) => {
    if (wanted === null || wanted === undefined) return index < 3 ? 'pipe' : 'ignore'
    if (wanted === 'pipe' || wanted === 'overlapped') return 'pipe'
    if (wanted === 'ignore' || typeof wanted === 'number') return wanted
    if (wanted === 'inherit') return index
    const fd = typeof wanted === 'object' && 'fd' in wanted ? (wanted as { fd: unknown }).fd : undefined
    if (typeof fd === 'number') return fd
    throw new CnmError(
      'ERR_CNM_INVALID_ARGUMENT',
      `stdio[${index}]: ${typeof wanted === 'string' ? wanted : 'a stream without a descriptor'} cannot be handed to a program in a sandbox`,
      {
        field: 'stdio',
      },
    )
  })
}
