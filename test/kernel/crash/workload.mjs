// @ts-check
import { writeSync } from 'node:fs'

/**
 * What a program does until it is killed: concurrent operations, each with a line in the log before it begins and when
 * it is acknowledged. See workload.d.mts.
 *
 * @import { Controller } from 'libcnm'
 * @import { Thing, Workload } from './workload.mjs'
 */

/** @param {number} seed */
export function randomFrom(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** @param {Thing} thing */
export const keyOf = ({ kind, name }) => `${kind} ${name}`

/**
 * @param {Controller} controller
 * @param {Workload} workload
 * @param {{ log: number, seed: number, workers: number, first: number }} settings
 */
export async function work(controller, workload, { log, seed, workers, first }) {
  const random = randomFrom(seed)
  /** @type {Set<string>} */
  const busy = new Set()
  let count = first
  let id = 0
  /** @param {object} line */
  const write = (line) => writeSync(log, `${JSON.stringify(line)}\n`)
  const one = async () => {
    for (;;) {
      const operation = workload.next(controller, random, () => ++count)
      const keys = operation === undefined ? [] : [...operation.things.map(keyOf), ...(operation.holds ?? [])]
      if (operation === undefined || keys.some((key) => busy.has(key))) {
        await new Promise((resolve) => setTimeout(resolve, 1))
        continue
      }
      for (const key of keys) busy.add(key)
      const { what, things, leaves } = operation
      const number = ++id
      write({ number, what, things, leaves })
      try {
        await operation.run()
        write({ number, done: things.map((thing) => (leaves === 'present' ? (workload.facts?.(controller, thing) ?? null) : null)) })
      } catch (error) {
        if (workload.refusals?.includes(/** @type {{ code?: string }} */ (error).code ?? '')) write({ number, refused: true })
        else write({ number, failed: error instanceof Error ? `${error.message}\n${error.stack}` : String(error) })
      }
      for (const key of keys) busy.delete(key)
    }
  }
  await Promise.all(Array.from({ length: workers }, one))
}
