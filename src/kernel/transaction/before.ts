import type { KernelObject } from '../../contracts/kernel-objects.js'
import type { Operation } from '../../contracts/operations.js'
import { handlerOf } from '../handlers.js'
import { identity } from './identity.js'
import type { Session } from './session.js'

/** Kinds that are never made or removed, only set: what a `create` overwrites must be read first. */
const SETTINGS = new Set<string>(['sysctl', 'bridge-port', 'features'])

export const isSetting = (object: KernelObject): boolean =>
  SETTINGS.has(object.kind) || (object.kind === 'link' && object.type === 'existing')

const hasUntoldRules = (object: KernelObject): boolean => object.kind === 'nft-chain' && object.rules === undefined

/** Whether undoing the operation needs what is there before it. */
export function overwrites(operation: Operation): boolean {
  if (operation.do === 'create') return operation.replace === true || isSetting(operation.object)
  if (operation.do === 'delete') return SETTINGS.has(operation.object.kind) || hasUntoldRules(operation.object)
  return operation.from.kind === 'link' || isSetting(operation.from)
}

/** Objects as they are before an operation of the transaction touches them. */
export class Before {
  #lists = new Map<string, Map<string, KernelObject>>()

  constructor(private readonly session: Session) {}

  read(object: KernelObject): KernelObject | undefined {
    const handler = handlerOf(object.kind)
    if (handler.read !== undefined) return handler.read(object, this.session)
    return this.#list(object)?.get(identity(object))
  }

  /** Keeps what was listed true: an operation has been carried out. */
  note(operation: Operation): void {
    const [gone, made] =
      operation.do === 'change'
        ? [operation.from, operation.to]
        : operation.do === 'create'
          ? [undefined, operation.object]
          : [operation.object, undefined]
    const list = this.#lists.get(key(gone ?? made))
    if (list === undefined) return
    if (gone !== undefined) list.delete(identity(gone))
    if (made !== undefined) list.set(identity(made), made)
  }

  /** One dump per kind and namespace: a hundred entries are replaced as cheaply as one. */
  #list(object: KernelObject): Map<string, KernelObject> | undefined {
    const handler = handlerOf(object.kind)
    if (handler.list === undefined) return undefined
    let list = this.#lists.get(key(object))
    if (list === undefined) {
      const found = handler.list('at' in object ? object.at : 'host', this.session)
      list = new Map(found.map((each) => [identity(each), each]))
      this.#lists.set(key(object), list)
    }
    return list
  }
}

const key = (object: KernelObject): string => `${object.kind} ${'at' in object ? object.at : ''}`

/** What an object is after a change from one state to another: fields that the change does not mention stay. */
export function changed(before: KernelObject, from: KernelObject, to: KernelObject): KernelObject {
  return merge(before, defaults(from), defaults(to)) as KernelObject
}

function merge(before: object, from: object, to: object): object {
  const result: Record<string, unknown> = { ...before }
  const [old, wanted] = [from as Record<string, unknown>, to as Record<string, unknown>]
  for (const field of new Set([...Object.keys(old), ...Object.keys(wanted)])) {
    const [b, present] = [wanted[field], result[field]]
    result[field] = isRecord(b) && isRecord(present) ? merge(present, isRecord(old[field]) ? old[field] : {}, b) : b
  }
  return result
}

function defaults(object: KernelObject): KernelObject {
  return object.kind === 'link' ? { ...object, up: object.up ?? true } : object
}

const isRecord = (value: unknown): value is object => typeof value === 'object' && value !== null && !Array.isArray(value)
