/** What the program's thread and the kernel thread say to each other: JSON text, which costs less than cloning objects. */
import type { KernelObject, KernelObjectKind, Place } from '../contracts/kernel-objects.js'
import type { Operation } from '../contracts/operations.js'
import type { EventCalls } from './events/calls.js'
import type { HostCalls } from './host-calls.js'
import type { Mount } from './mountinfo.js'
import type { ExitReport } from './process/messages.js'
import type { QuestionCalls } from './question-calls.js'
import type { SocketHandle, SocketRequest } from './sockets.js'
import type { Fault } from './transaction/faults.js'
import type { WireError } from './wire.js'

/** Which of the objects of a kind are wanted: those whose fields have these values. */
export type ListFilter = Readonly<Record<string, string | number | boolean>>

/** Everything that the kernel thread does on request: arguments and result of each call. */
export interface Calls extends HostCalls, EventCalls, QuestionCalls {
  transaction(operations: readonly Operation[]): void
  list(at: Place, kinds: readonly KernelObjectKind[], filter: ListFilter | null): KernelObject[]
  checkNamespace(at: Place): void
  readSysctl(at: Place, path: string): string
  writeSysctl(at: Place, path: string, value: string): void
  mounts(): Mount[]
  socket(at: Place, request: SocketRequest): SocketHandle
  close(): void
}

export type CallName = keyof Calls

/** Sends a call to the thread. */
export type PlainCaller = <K extends CallName>(name: K, ...args: Parameters<Calls[K]>) => Promise<ReturnType<Calls[K]>>

/** Number of the call, its name, its arguments; or the number of a call that is not wanted any more. */
export type Request = { [K in CallName]: [id: number, name: K, ...args: Parameters<Calls[K]>] }[CallName] | [id: number]

export type Reply = [id: number, result: unknown] | [id: number, result: null, error: WireError] | [id: typeof EXITED, report: ExitReport]

export interface ThreadOptions {
  fault?: Fault
}

/** Given to the thread at its start. */
export interface ThreadStart {
  options: ThreadOptions
  /** Memory of the ExitGuard. */
  guard: SharedArrayBuffer
}

/** The first message of the thread: it runs. */
export const READY = 0
/** Not an answer: a program that {@link HostCalls.spawn} started has ended. */
export const EXITED = -1
