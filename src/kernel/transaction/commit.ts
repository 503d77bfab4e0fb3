import { CnmError } from '../../contracts/errors.js'
import { asCnmError, kernelError } from '../errors.js'
import { dropNamespace } from '../namespace-files.js'
import { removeLinks } from './removal.js'
import type { LinkRemoval, NamespaceRemoval } from './removals.js'
import type { Session } from './session.js'
import { wordsOf } from './step.js'
import type { Transaction } from './transaction.js'
import { fieldsOf } from './undo-failures.js'

/** A transaction that has done all that can be undone. */
export interface Applied {
  transaction: Transaction
  session: Session
}

/**
 * The point of no return, for several transactions at once: their links go together, namespace by namespace, then their
 * namespaces.
 * @returns the error of each transaction, or `undefined`
 */
export function commit(applied: readonly Applied[]): (CnmError | undefined)[] {
  const failures = new Map<LinkRemoval | NamespaceRemoval, CnmError>()
  removeAllLinks(applied, failures)
  return applied.map(({ transaction }) => finish(transaction, failures))
}

function removeAllLinks(applied: readonly Applied[], failures: Map<LinkRemoval | NamespaceRemoval, CnmError>): void {
  const places = new Map<string, { session: Session; removals: LinkRemoval[] }>()
  for (const { transaction, session } of applied) {
    for (const removal of transaction.removals.links) {
      const { key } = removal.site.namespace
      const place = places.get(key) ?? { session, removals: [] }
      place.removals.push(removal)
      places.set(key, place)
    }
  }
  for (const { session, removals } of places.values()) {
    const socket = session.routeSocket(removals[0]!.site)
    const refused = removeLinks(socket, [...new Set(removals.map(({ index }) => index))])
    for (const removal of removals) {
      const refusal = refused.get(removal.index)
      const { operation, index: operationIndex } = removal.step
      if (refusal !== undefined)
        failures.set(removal, kernelError({ ...refusal, operation: wordsOf(operation), subject: 'link', operationIndex }))
    }
  }
}

/** A transaction none of whose removals succeeded can still be undone. */
function finish(transaction: Transaction, failures: Map<LinkRemoval | NamespaceRemoval, CnmError>): CnmError | undefined {
  const { links, namespaces } = transaction.removals
  const [first] = links.flatMap((removal) => failures.get(removal) ?? [])
  if (first !== undefined && links.every((removal) => failures.has(removal))) return transaction.fail(first)
  for (const removal of namespaces) {
    try {
      dropNamespace(removal.path)
    } catch (error) {
      failures.set(removal, asCnmError(error, wordsOf(removal.step.operation), 'namespace', removal.step.index))
    }
  }
  return summary([...links, ...namespaces].flatMap((removal) => failures.get(removal) ?? []))
}

function summary(failures: readonly CnmError[]): CnmError | undefined {
  const [first] = failures
  if (first === undefined) return undefined
  const message = `${first.message}; everything else of the transaction is done`
  return new CnmError(first.code, message, { ...fieldsOf(first), cause: new AggregateError(failures, 'removals failed') })
}
