import type { Endpoint } from './endpoint.js'

/** What nobody else may work on while an endpoint changes: itself, and the sandbox that it is joined to. */
export function serialKeys({ id, record: { sandbox } }: Endpoint): string[] {
  return sandbox === undefined ? [`endpoint/${id}`] : [`endpoint/${id}`, `sandbox/${sandbox}`]
}

/**
 * Runs work on an endpoint alone: nobody else works on it, nor on the sandbox that it is joined to when its turn comes.
 * (The sandbox cannot be known before: a join may be under way.)
 */
export async function serialised<T>(endpoint: Endpoint, work: () => Promise<T>): Promise<T> {
  const { serial } = endpoint.core
  for (;;) {
    const { sandbox } = endpoint.record
    const result = await serial.run(serialKeys(endpoint), async () =>
      endpoint.record.sandbox === sandbox ? { value: await work() } : undefined,
    )
    if (result !== undefined) return result.value
  }
}
