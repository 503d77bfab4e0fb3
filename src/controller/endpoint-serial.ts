import type { Endpoint } from './endpoint.js'

/**
 * Runs work on an endpoint alone: nobody else works on it, nor on the sandbox that it is joined to when its turn comes.
 * (The sandbox cannot be known before: a join may be under way.)
 */
export async function serialised<T>(endpoint: Endpoint, work: () => Promise<T>): Promise<T> {
  const { serial } = endpoint.core
  const key = `endpoint/${endpoint.id}`
  for (;;) {
    const { sandbox } = endpoint.record
    const keys = sandbox === undefined ? [key] : [key, `sandbox/${sandbox}`]
    const result = await serial.run(keys, async () => (endpoint.record.sandbox === sandbox ? { value: await work() } : undefined))
    if (result !== undefined) return result.value
  }
}
