import type { KernelObject } from '../../contracts/kernel-objects.js'
import type { Operation } from '../../contracts/operations.js'
import { describe, handlerOf } from '../handlers.js'
import { changed, isSetting } from './before.js'
import type { Session } from './session.js'
import type { UndoStep } from './undo.js'

/**
 * What takes an operation back.
 * @param before the object as it was, where it had to be read
 */
export function inverse(operation: Operation, before: KernelObject | undefined, session: Session): UndoStep {
  if (before !== undefined) return putBack(operation, before, session)
  if (operation.do === 'create') return removal(operation.object, session)
  if (operation.do === 'delete') return creation(operation.object, session)
  const { from, to } = operation
  return { words: describe('change', from), way: 'restore', run: () => handlerOf(from.kind).change(to, from, session) }
}

function putBack(operation: Operation, before: KernelObject, session: Session): UndoStep {
  const handler = handlerOf(before.kind)
  const step = { words: describe('change', before), way: 'restore' } as const
  // Settings are never absent: what is not said of them stays, unless they are led back.
  if (before.kind !== 'link' && !isSetting(before)) return { ...step, run: () => handler.create(before, session, true) }
  const [from, to] = operation.do === 'change' ? [operation.from, operation.to] : [operation.object, operation.object]
  return { ...step, run: () => handler.change(changed(before, from, to), before, session) }
}

function removal(object: KernelObject, session: Session): UndoStep {
  const step = { words: describe('delete', object), way: 'remove' } as const
  if (object.kind === 'link' && object.type !== 'existing') return { ...step, link: object }
  return { ...step, run: () => handlerOf(object.kind).remove(object, session) }
}

function creation(object: KernelObject, session: Session): UndoStep {
  return { words: describe('create', object), way: 'restore', run: () => handlerOf(object.kind).create(object, session, false) }
}
