import type { KernelObject } from '../../contracts/kernel-objects.js'
import type { Operation } from '../../contracts/operations.js'
import { isMissing, kernelError, type Subject } from '../errors.js'
import { describe } from '../handlers.js'
import type { Acknowledgement } from '../netlink/socket.js'
import type { UndoStep } from './undo.js'

/** One operation on its way. */
export interface Step {
  readonly index: number
  readonly operation: Operation
  /** Whether the kernel has taken any of it. */
  applied: boolean
  /** Answers that came so far. */
  answers: number
  /** What takes it back, in that order. */
  undo: UndoStep[]
}

export const objectOf = (operation: Operation): KernelObject => (operation.do === 'change' ? operation.to : operation.object)

export const wordsOf = (operation: Operation): string => describe(operation.do, objectOf(operation))

export function subjectOf({ kind }: KernelObject): Subject {
  return kind === 'link' || kind === 'namespace' || kind === 'mount' ? kind : 'other'
}

export const mayBeMissing = (operation: Operation): boolean => operation.do === 'delete' && operation.missing === 'ignore'

/** Takes the kernel's answer to a message of the step. @returns the error that it means, if it means one */
export function answered(step: Step, { errno, text }: Acknowledgement): Error | undefined {
  step.answers++
  if (errno === 0) {
    // The first message of a creation makes the object: if that was refused, what followed met somebody else's.
    if (step.operation.do !== 'create' || step.answers === 1) step.applied = true
    return undefined
  }
  const subject = subjectOf(objectOf(step.operation))
  const error = kernelError({ errno, text, operation: wordsOf(step.operation), subject, operationIndex: step.index })
  return mayBeMissing(step.operation) && isMissing(error) ? undefined : error
}
