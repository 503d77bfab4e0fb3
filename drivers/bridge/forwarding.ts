import { readFile } from 'node:fs/promises'
import type { HostFacts, NetworkView } from '../../src/contracts/index.js'
import type { BridgeOptions } from './network-options.js'

type Warn = (message: string, about: string) => void

export const FORWARDING = { 4: 'net/ipv4/ip_forward', 6: 'net/ipv6/conf/all/forwarding' } as const
const TABLES = { 4: ['ip', 'inet'], 6: ['ip6', 'inet'] } as const

/** The families whose packets the host must forward for this network. */
export function forwardedFamilies(network: NetworkView<BridgeOptions>): (4 | 6)[] {
  const { mode, policy } = network.options
  // Under a policy, endpoints reach one another through the host.
  if (mode === 'unmanaged' || (network.internal && policy === undefined)) return []
  return [...(network.ipv4 ? [4 as const] : []), ...(network.ipv6 ? [6 as const] : [])]
}

/** That a host is made to forward packets, or that somebody's rules keep it from doing so, matters to whoever runs it. */
export async function reportForwarding(network: NetworkView<BridgeOptions>, host: HostFacts, warn: Warn): Promise<void> {
  const families = forwardedFamilies(network)
  for (const family of families) {
    const path = FORWARDING[family]
    if ((await settingOf(path)) !== '0') continue
    warn(`${path.replaceAll('/', '.')} is switched on: network ${network.name} needs this host to forward IPv${family}`, network.id)
  }
  for (const { family, table, chain, why } of host.forwardDrops) {
    if (!families.some((each) => (TABLES[each] as readonly string[]).includes(family))) continue
    const how = why === 'policy' ? 'its policy is drop' : 'its last rule drops the rest'
    warn(
      `table ${family} ${table}, chain ${chain}: ${how}, so that packets to and from network ${network.name} need a rule there`,
      network.id,
    )
  }
}

/** A parameter of the host; as if it were 0 where it cannot be read. */
export const settingOf = (path: string): Promise<string> =>
  readFile(`/proc/sys/${path}`, 'utf8').then(
    (text) => text.trim(),
    () => '0',
  )
