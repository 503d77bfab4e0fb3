import type { Core } from '../core.js'

const SANDBOX = 'sandbox:'

export const sandboxConsumer = (sandbox: { id: string }): string => `${SANDBOX}${sandbox.id}`
export const isSandboxConsumer = (consumer: string): boolean => consumer.startsWith(SANDBOX)

/** A consumer as the user knows it. */
export function describeConsumer(core: Core, consumer: string): string {
  if (!isSandboxConsumer(consumer)) return consumer
  const id = consumer.slice(SANDBOX.length)
  return `sandbox ${core.sandboxes.find(id)?.name ?? id}`
}
