/** RFC 6298's weights for the smoothed time and its variation. */
const ALPHA = 1 / 8
const BETA = 1 / 4
/** Shortest wait before a second server is asked. */
const SHORTEST_HEDGE = 20
/** What a server without history gets. */
const FIRST_HEDGE = 100
/** Questions in a row that had to be answered by others. */
const SUSPECT_AFTER = 3
const FIRST_PROBE = 1000
const LONGEST_PROBE = 30_000

/** What experience says about a server: how fast it is, and whether it answers at all. */
export class Health {
  /** Smoothed milliseconds until an answer; 0: never answered. */
  rtt = 0
  #variation = 0
  #missed = 0
  #probeAt = 0
  #probeAfter = FIRST_PROBE

  answered(milliseconds: number): void {
    if (this.rtt === 0) {
      this.rtt = Math.max(milliseconds, 0.01)
      this.#variation = milliseconds / 2
    } else {
      this.#variation += BETA * (Math.abs(this.rtt - milliseconds) - this.#variation)
      this.rtt += ALPHA * (milliseconds - this.rtt)
    }
    this.#missed = 0
    this.#probeAfter = FIRST_PROBE
  }

  /** It had its time, and did not answer. */
  missed(now: number): void {
    this.#missed++
    if (this.#missed === SUSPECT_AFTER) this.#probeAt = now + this.#probeAfter
  }

  /** Others are asked first. */
  get suspect(): boolean {
    return this.#missed >= SUSPECT_AFTER
  }

  /** Whether a suspect should be tried again beside the others; true once in a while, more and more rarely. */
  probe(now: number): boolean {
    if (!this.suspect || now < this.#probeAt) return false
    this.#probeAfter = Math.min(this.#probeAfter * 2, LONGEST_PROBE)
    this.#probeAt = now + this.#probeAfter
    return true
  }

  /** Milliseconds to wait for this server before another is asked. */
  hedge(longest: number): number {
    if (this.rtt === 0) return Math.min(FIRST_HEDGE, longest)
    return Math.min(longest, Math.max(SHORTEST_HEDGE, this.rtt + 4 * this.#variation))
  }
}

/** A server this much slower than the fastest is asked after it, whatever the configured order. */
const MUCH_SLOWER = 2
const SLOWER_BY = 50

/**
 * Orders servers for one question: as configured, but those that do not answer last, and those much slower than
 * another behind it.
 */
export function byHealth<T extends { readonly health: Health }>(servers: readonly T[]): T[] {
  const known = servers.map((server) => server.health).filter((health) => !health.suspect && health.rtt > 0)
  const fastest = Math.min(...known.map((health) => health.rtt))
  const rank = ({ health }: T): number => (health.suspect ? 2 : health.rtt > fastest * MUCH_SLOWER + SLOWER_BY ? 1 : 0)
  return [...servers].sort((a, b) => rank(a) - rank(b))
}
