import type { BaseChain, FirewallFamily } from '../../contracts/firewall.js'
import { own } from './packet-keys.js'

type Hooks = Partial<Record<BaseChain['hook'], number>>

/** linux/netfilter.h NF_INET_*, linux/netfilter_bridge.h NF_BR_* */
const IP: Hooks = { prerouting: 0, input: 1, forward: 2, output: 3, postrouting: 4 }

/** linux/netfilter_arp.h NF_ARP_*, linux/netfilter.h NF_NETDEV_* */
const HOOKS: Readonly<Record<FirewallFamily, Hooks>> = {
  ip: IP,
  ip6: IP,
  bridge: IP,
  inet: { ...IP, ingress: 5 },
  arp: { input: 0, output: 1, forward: 2 },
  netdev: { ingress: 0, egress: 1 },
}

export const hookNumber = (family: FirewallFamily, hook: string): number | undefined => own(HOOKS[family] as Record<string, number>, hook)

export function hookName(family: FirewallFamily, number: number): BaseChain['hook'] | undefined {
  const hooks = HOOKS[family]
  return (Object.keys(hooks) as BaseChain['hook'][]).find((name) => hooks[name] === number)
}
