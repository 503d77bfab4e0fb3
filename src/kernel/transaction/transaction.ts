import { CnmError } from '../../contracts/errors.js'
import type { KernelObject, NamespaceObject } from '../../contracts/kernel-objects.js'
import type { Operation } from '../../contracts/operations.js'
import { asCnmError, isMissing } from '../errors.js'
import { handlerOf } from '../handlers.js'
import { bindNamespace, checkPath, dropNamespace } from '../namespace-files.js'
import { isNamespacePath } from '../namespaces.js'
import { canBecome } from '../rtnetlink/index.js'
import { Before, overwrites } from './before.js'
import { risk, snapshot } from './collateral.js'
import { contents } from './firewall-contents.js'
import type { Faults } from './faults.js'
import { inverse } from './inverse.js'
import { Made } from './made.js'
import { NamesMade } from './names.js'
import { haveNewPortsForward } from './new-ports.js'
import { Removals } from './removals.js'
import type { Session } from './session.js'
import { answered, mayBeMissing, objectOf, subjectOf, wordsOf, type Step } from './step.js'
import { undo } from './undo.js'
import { withUndoFailures } from './undo-failures.js'

/**
 * Operations that are carried out whole or not at all. {@link apply} does everything that can be undone, and undoes it
 * when something fails; what cannot be undone is left in {@link removals}.
 */
export class Transaction {
  readonly removals: Removals
  #steps: Step[] = []
  #before: Before
  #made = new Made()

  constructor(
    private readonly operations: readonly Operation[],
    private readonly session: Session,
    private readonly faults: Faults,
  ) {
    this.#before = new Before(session)
    this.removals = new Removals(session, new NamesMade(operations))
  }

  /** @throws CnmError of the first operation that failed, after undoing the others */
  apply(): void {
    this.session.outbox.judge = (owner, answer) => answered(this.#steps[owner]!, answer)
    try {
      for (const operation of this.operations) this.#carryOut(operation)
      this.session.flush()
      haveNewPortsForward(this.operations, this.session)
      this.removals.check()
    } catch (error) {
      throw this.fail(asCnmError(error, 'transaction'))
    }
  }

  /** Undoes everything. @returns the error, with what could not be undone as its cause */
  fail(error: CnmError): CnmError {
    this.session.resources.noteRemovedRules()
    const steps = this.#steps.filter(({ applied }) => applied).reverse()
    return withUndoFailures(
      error,
      undo(
        steps.flatMap((step) => step.undo),
        this.session,
      ),
    )
  }

  #carryOut(operation: Operation): void {
    const { outbox } = this.session
    const step: Step = { index: this.#steps.length, operation, applied: false, answers: 0, undo: [] }
    this.#steps.push(step)
    outbox.begin(step.index)
    try {
      const fails = this.faults.next()
      if (fails === 'before') throw this.faults.error(wordsOf(operation))
      this.#dispatch(step)
      outbox.end()
      if (fails === 'after') {
        outbox.flush()
        throw this.faults.error(wordsOf(operation))
      }
    } catch (error) {
      outbox.takeBack()
      const own = !(error instanceof CnmError) || (error.operationIndex ?? step.index) === step.index
      if (!(own && mayBeMissing(operation) && isMissing(error))) this.#giveUp(step, error)
    }
  }

  /** What waits to be sent came before: if the kernel refuses some of that, it is the first failure. */
  #giveUp(step: Step, error: unknown): never {
    this.session.flush()
    throw asCnmError(error, wordsOf(step.operation), subjectOf(objectOf(step.operation)), step.index)
  }

  #dispatch(step: Step): void {
    const { operation } = step
    if (operation.do === 'delete') {
      const { object } = operation
      if (object.kind === 'link' && object.type !== 'existing') return this.removals.deferLink(step, object)
      if (object.kind === 'namespace') return this.removals.deferNamespace(step, object)
    }
    if (operation.do === 'create' && operation.object.kind === 'namespace')
      return this.#makeNamespace(step, operation.object, operation.replace === true)
    this.#handle(step)
    if (this.session.outbox.written === 0) step.applied = true
  }

  #handle(step: Step): void {
    const { operation, index } = step
    const object = objectOf(operation)
    if (mayRemoveRules(operation)) this.session.resources.noteRemovedRules()
    const handler = handlerOf(object.kind)
    const before = this.#prepareUndo(step, object)
    // Reading what was there may have sent what waited; from here on, messages are this operation's.
    this.session.outbox.begin(index)
    if (operation.do === 'create')
      handler.create(object, this.session, operation.replace === true && !this.#displaced(step, before, object))
    else if (operation.do === 'change') handler.change(operation.from, object, this.session)
    else handler.remove(object, this.session)
    this.#before.note(operation)
  }

  /** @returns the object as it is now, where it had to be read */
  #prepareUndo(step: Step, object: KernelObject): KernelObject | undefined {
    const { operation } = step
    if (this.#made.carries(object, operation.do === 'create' && operation.replace === true)) return undefined
    const before = overwrites(operation) ? this.#before.read(operation.do === 'change' ? operation.from : object) : undefined
    step.undo = [inverse(operation, before, this.session)]
    const restore = operation.do === 'delete' ? contents(object, this.session) : undefined
    if (restore !== undefined) step.undo.push({ words: 'put back what was in it', way: 'restore', run: restore })
    const danger = risk(operation, before)
    if (danger !== undefined) step.undo.push({ words: 'put back what went along', way: 'restore', run: snapshot(danger, this.session) })
    if (operation.do === 'create' && before === undefined) this.#made.add(object)
    return before
  }

  /** Whether what is to be replaced was put aside instead. */
  #displaced(step: Step, before: KernelObject | undefined, object: KernelObject): boolean {
    if (object.kind !== 'link' || object.type === 'existing' || before?.kind !== 'link' || canBecome(before, object)) return false
    step.undo = []
    this.removals.displace(step, before, object)
    step.undo.unshift(inverse(step.operation, undefined, this.session))
    return true
  }

  /** A namespace has nothing but its place, so to replace one that is there already is to keep it. */
  #makeNamespace(step: Step, object: NamespaceObject, replace: boolean): void {
    checkPath(object.at)
    if (replace && isNamespacePath(object.at)) return
    this.session.resources.folders.prepare(object.at)
    this.session.makeNamespace(object.at, () => bindNamespace(object.at, { reuse: replace }))
    step.applied = true
    step.undo = [{ words: `ip netns delete ${object.at}`, way: 'remove', run: () => dropNamespace(object.at) }]
    this.#made.add(object)
  }
}

const mayRemoveRules = (operation: Operation): boolean =>
  objectOf(operation).kind.startsWith('nft-') && (operation.do !== 'create' || operation.replace === true)
