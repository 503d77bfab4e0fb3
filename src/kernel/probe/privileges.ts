import { existsSync } from 'node:fs'
import { no, YES, type Verdict } from './capabilities.js'
import { procText } from './settings.js'

// Bit numbers: linux/capability.h.
const CAP_NET_ADMIN = 12
const CAP_SYS_ADMIN = 21

function effective(bit: number): Verdict {
  const mask = /^CapEff:\s*([0-9a-f]+)$/m.exec(procText('/proc/thread-self/status') ?? '')?.[1]
  if (mask === undefined) return no('/proc/thread-self/status does not say')
  return (BigInt(`0x${mask}`) >> BigInt(bit)) & 1n ? YES : no(`not in the effective set ${mask}`)
}

/**
 * By the limits that the kernel publishes. Trying is not possible: a process with several threads, like Node, cannot
 * unshare its user namespace.
 */
function userNamespaces(): Verdict {
  if (!existsSync('/proc/self/ns/user')) return no('the kernel has none')
  if (procText('/proc/sys/user/max_user_namespaces') === '0') return no('user.max_user_namespaces is 0')
  const privileged = effective(CAP_SYS_ADMIN).available
  if (!privileged && procText('/proc/sys/kernel/unprivileged_userns_clone') === '0') return no('kernel.unprivileged_userns_clone is 0')
  if (!privileged && procText('/proc/sys/kernel/apparmor_restrict_unprivileged_userns') === '1') {
    return no('kernel.apparmor_restrict_unprivileged_userns is 1')
  }
  return YES
}

export const privileges = {
  'net-admin': () => effective(CAP_NET_ADMIN),
  'sys-admin': () => effective(CAP_SYS_ADMIN),
  'user-namespaces': userNamespaces,
} satisfies Record<string, () => Verdict>
