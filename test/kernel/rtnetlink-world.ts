import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import type { KernelObject, KernelObjectKind, ObjectOf, Place } from '../../src/contracts/kernel-objects.js'
import type { ObjectHandler } from '../../src/kernel/handler.js'
import { rtnetlinkHandlers } from '../../src/kernel/rtnetlink/index.js'
import type { Session } from '../../src/kernel/transaction/session.js'
import { skipping } from '../tools.js'
import { openSession } from './session.js'

type RtnetlinkKind = keyof typeof rtnetlinkHandlers
type Json = Record<string, unknown>

/** Namespaces of one test, the handlers at work in them, and iproute2 to look at the result and to make other objects. */
export class World implements Disposable {
  readonly #id = randomBytes(3).toString('hex')
  readonly #names: string[] = []
  readonly #opened = openSession()

  get session(): Session {
    return this.#opened.session
  }

  /** A new namespace. */
  place(label = 'a'): Place {
    const name = `rt-${this.#id}-${label}`
    execFileSync('ip', ['netns', 'add', name])
    this.#names.push(name)
    return `/run/netns/${name}`
  }

  create(object: KernelObject, replace = false): void {
    this.#operation(() => handler(object.kind).create(object, this.session, replace))
  }
  change(from: KernelObject, to: KernelObject): void {
    this.#operation(() => handler(from.kind).change(from, to, this.session))
  }
  remove(object: KernelObject): void {
    this.#operation(() => handler(object.kind).remove(object, this.session))
  }
  /** How many messages an operation takes; they are sent. */
  messages(body: () => void): number {
    const { outbox } = this.session
    outbox.begin(0)
    body()
    outbox.end()
    const count = outbox.written
    this.session.flush()
    return count
  }
  handler<K extends RtnetlinkKind>(kind: K): ObjectHandler<K> {
    return rtnetlinkHandlers[kind]
  }
  /** Like an operation of a transaction: what it has written when it throws is not sent. */
  #operation(body: () => void): void {
    const { outbox } = this.session
    outbox.begin(0)
    try {
      body()
      outbox.end()
    } catch (error) {
      outbox.takeBack()
      throw error
    }
    this.session.flush()
  }
  list<K extends RtnetlinkKind>(kind: K, at: Place): ObjectOf<K>[] {
    return this.handler(kind).list?.(at, this.session) ?? []
  }

  /** Runs a program inside. */
  run(at: Place, program: string, ...args: string[]): string {
    return execFileSync('ip', ['netns', 'exec', at.slice('/run/netns/'.length), program, ...args], { encoding: 'utf8' })
  }
  read(path: string): string {
    return readFileSync(path, 'utf8')
  }
  ip(at: Place, ...args: string[]): void {
    tool('ip', at, args)
  }
  /** Several commands of ip(8) in one process. */
  batch(at: Place, ...commands: string[]): void {
    execFileSync('ip', ['-n', at.slice('/run/netns/'.length), '-batch', '-'], {
      input: commands.join('\n'),
      stdio: ['pipe', 'pipe', 'pipe'],
    })
  }
  tc(at: Place, ...args: string[]): void {
    tool('tc', at, args)
  }
  bridge(at: Place, ...args: string[]): void {
    tool('bridge', at, args)
  }
  /** What a tool of iproute2 shows, as JSON. */
  show(program: 'ip' | 'tc' | 'bridge', at: Place, ...args: string[]): Json[] {
    const text = tool(program, at, ['-j', '-d', ...args]).trim()
    return text === '' ? [] : (JSON.parse(text) as Json[])
  }

  /** Waits for what the kernel does a little later. */
  until(condition: () => boolean): void {
    const end = Date.now() + 15_000
    while (!condition()) {
      if (Date.now() > end) throw new Error(`did not happen: ${condition.toString()}`)
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)
    }
  }

  [Symbol.dispose](): void {
    this.#opened[Symbol.dispose]()
    for (const name of this.#names) execFileSync('ip', ['netns', 'delete', name])
  }
}

const handler = (kind: KernelObjectKind): ObjectHandler<KernelObjectKind> =>
  rtnetlinkHandlers[kind as RtnetlinkKind] as unknown as ObjectHandler<KernelObjectKind>

function tool(program: string, at: Place, args: readonly string[]): string {
  const where = at === 'host' ? [] : ['-n', at.slice('/run/netns/'.length)]
  return execFileSync(program, [...where, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

/** On the stock kernel of the VM nothing may be missing. */
const mustHaveAll = process.env.VM_RUN === '1'

/**
 * Why tests of something cannot run here, or `undefined`: tried with iproute2 in a namespace of its own.
 * @param commands of which the last is the one that counts; `ip`, `tc` or `bridge` with arguments
 */
export function lacks(what: string, ...commands: string[]): string | undefined {
  const name = `rt-try-${randomBytes(3).toString('hex')}`
  execFileSync('ip', ['netns', 'add', name])
  try {
    for (const command of commands) {
      const [program = 'ip', ...args] = command.split(' ')
      execFileSync(program, ['-n', name, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    }
    return undefined
  } catch (error) {
    if (mustHaveAll) throw error
    return skipping(
      `this kernel lacks ${what}: ${
        String((error as { stderr?: Buffer }).stderr)
          .trim()
          .split('\n')[0]
      }`,
    )
  } finally {
    execFileSync('ip', ['netns', 'delete', name])
  }
}
