import { existsSync, readFileSync } from 'node:fs'
import { release } from 'node:os'
import type { HostSettings } from './capabilities.js'

/** Content of a file of /proc or /sys without the final newline; `undefined` where it cannot be read. */
export function procText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').replace(/[\n\0]+$/, '')
  } catch {
    return undefined
  }
}

/** Read in the namespace of the calling thread. */
export function hostSettings(): HostSettings {
  const lsm = procText('/sys/kernel/security/lsm')
  const confinement = procText('/proc/thread-self/attr/current')
  return {
    kernel: release(),
    bridgeNetfilter: existsSync('/proc/sys/net/bridge'),
    ipv4Forwarding: procText('/proc/sys/net/ipv4/ip_forward') === '1',
    ipv6Forwarding: procText('/proc/sys/net/ipv6/conf/all/forwarding') === '1',
    securityModules: lsm === undefined || lsm === '' ? [] : lsm.split(','),
    ...(confinement === undefined || confinement === '' ? {} : { confinement }),
  }
}
