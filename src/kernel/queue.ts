import type { CnmError } from '../contracts/errors.js'
import type { Operation } from '../contracts/operations.js'
import { asCnmError } from './errors.js'
import { commit, type Applied } from './transaction/commit.js'
import type { Faults } from './transaction/faults.js'
import type { Resources } from './transaction/resources.js'
import { Session } from './transaction/session.js'
import { Touches } from './transaction/touches.js'
import { Transaction } from './transaction/transaction.js'

/** Enough for the removals to cost little each, few enough that nobody waits long. */
const MOST_WAITING = 256

type Answer = (error: CnmError | undefined) => void

interface Waiting extends Applied {
  answer: Answer
}

/**
 * Runs transactions in the order in which they come. Those that remove links or namespaces wait before that last step
 * for the ones behind them in the queue, so that all removals go together.
 */
export class TransactionQueue {
  #waiting: Waiting[] = []
  #touches: Touches

  constructor(
    private readonly resources: Resources,
    private readonly faults: Faults,
  ) {
    this.#touches = new Touches(resources.namespaces.home.key)
  }

  /** Carries out what can be undone, and the rest now or at the next {@link settle}. */
  run(operations: readonly Operation[], answer: Answer): void {
    if (this.#waiting.length === MOST_WAITING || this.#touches.conflict(operations)) this.settle()
    const session = new Session(this.resources)
    const transaction = new Transaction(operations, session, this.faults)
    try {
      transaction.apply()
    } catch (error) {
      answer(asCnmError(error, 'transaction'))
      session.close()
      return
    }
    if (transaction.removals.count > 0) {
      this.#waiting.push({ transaction, session, answer })
      this.#touches.add(operations)
    } else {
      answer(undefined)
      session.close()
    }
  }

  /** Removes what waits for it. */
  settle(): void {
    if (this.#waiting.length === 0) return
    const waiting = this.#waiting
    this.#waiting = []
    this.#touches.clear()
    const errors = commit(waiting)
    waiting.forEach(({ answer }, i) => answer(errors[i]))
    for (const { session } of waiting) session.close()
  }
}
