/** Length of a step: nothing here needs better. */
const STEP = 4
const SLOTS = 2048

/** Something to do at a time; belongs to at most one {@link Timers}. */
export class Timer {
  /** In a slot's ring when armed. */
  next: Timer | undefined
  previous: Timer | undefined
  step = 0

  constructor(readonly fire: () => void) {}

  get armed(): boolean {
    return this.next !== undefined
  }
}

/**
 * A timing wheel: arming and cancelling cost the same however many timers there are, and a cancelled timer leaves
 * nothing behind. Times are milliseconds of one clock; a timer fires at its time or up to one step later.
 */
export class Timers {
  readonly #slots: Timer[] = Array.from({ length: SLOTS }, ring)
  #step: number
  #armed = 0
  /** No timer is due before this step; cancelled ones may make it too early. */
  #earliest = 0
  readonly #failed: (error: unknown) => void

  /** @param failed told about errors that timers throw; the others fire all the same */
  constructor(now: number, failed: (error: unknown) => void) {
    this.#step = Math.floor(now / STEP)
    this.#failed = failed
  }

  get armed(): number {
    return this.#armed
  }

  arm(timer: Timer, when: number): void {
    this.cancel(timer)
    timer.step = Math.max(Math.ceil(when / STEP), this.#step + 1)
    const head = this.#slots[timer.step % SLOTS]!
    timer.next = head
    timer.previous = head.previous
    head.previous!.next = timer
    head.previous = timer
    this.#earliest = this.#armed === 0 ? timer.step : Math.min(this.#earliest, timer.step)
    this.#armed++
  }

  cancel(timer: Timer): void {
    if (timer.next === undefined) return
    timer.previous!.next = timer.next
    timer.next.previous = timer.previous
    timer.next = timer.previous = undefined
    this.#armed--
  }

  /** Fires what is due. */
  advance(now: number): void {
    const target = Math.floor(now / STEP)
    if (this.#armed === 0) this.#step = Math.max(this.#step, target)
    // After a long stop every slot is looked at once, not once per step.
    if (target - this.#step > SLOTS) this.#step = target - SLOTS
    while (this.#step < target) {
      this.#step++
      const due: Timer[] = []
      const head = this.#slots[this.#step % SLOTS]!
      for (let timer = head.next!; timer !== head; timer = timer.next!) if (timer.step <= target) due.push(timer)
      // One may cancel or arm another.
      for (const timer of due) {
        if (timer.step > target || timer.next === undefined) continue
        this.cancel(timer)
        try {
          timer.fire()
        } catch (error) {
          this.#failed(error)
        }
      }
    }
  }

  /** Milliseconds until a timer may be due, or -1 when none is armed; for timers far away it is less than the truth. */
  wait(now: number): number {
    if (this.#armed === 0) return -1
    // Looked for once, not at every turn of the loop.
    if (this.#earliest <= this.#step) this.#earliest = this.#search()
    return Math.max(0, Math.ceil(this.#earliest * STEP - now))
  }

  /** The next step that has timers, in this round or a later one; or the last of the round. */
  #search(): number {
    for (let ahead = 1; ahead < SLOTS; ahead++) {
      const head = this.#slots[(this.#step + ahead) % SLOTS]!
      if (head.next !== head) return this.#step + ahead
    }
    return this.#step + SLOTS
  }
}

function ring(): Timer {
  const head = new Timer(() => {})
  head.next = head.previous = head
  return head
}
