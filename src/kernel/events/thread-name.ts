import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'

/**
 * Gives the calling thread a name that no other has (proc(5), comm). Events of nftables name the thread that committed;
 * its number there is that of the first process namespace, which may not be ours.
 */
export function nameThread(): string {
  const name = `cnm-${randomBytes(5).toString('hex')}`
  writeFileSync('/proc/thread-self/comm', name)
  return name
}
