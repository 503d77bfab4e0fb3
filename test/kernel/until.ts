import { setTimeout as sleep } from 'node:timers/promises'

/** Waits for a condition; one that does not come in time is an error that shows it. */
export async function until(condition: () => boolean | Promise<boolean>, within = 10_000): Promise<void> {
  const deadline = Date.now() + within
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not within ${within} ms: ${condition.toString()}`)
    await sleep(10)
  }
}
