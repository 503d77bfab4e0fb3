import { existsSync, writeFileSync } from 'node:fs'
import { sh } from './world.js'

/** Another machine on the host's uplink, which knows how to get at the networks behind the host. */
export const OUTSIDE = { name: 'outside', 4: '192.0.2.2', 6: '2001:db8::2' } as const
/** The host on that link. */
export const UPLINK = { name: 'up0', 4: '192.0.2.1', 6: '2001:db8::1' } as const

export function plugOutside(): void {
  const commands = [
    `ip netns add ${OUTSIDE.name}`,
    `ip link add ${UPLINK.name} type veth peer name eth0 netns ${OUTSIDE.name}`,
    `ip link set ${UPLINK.name} addrgenmode none`,
    `ip addr add ${UPLINK[4]}/24 dev ${UPLINK.name}`,
    `ip -6 addr add ${UPLINK[6]}/64 dev ${UPLINK.name} nodad`,
    `ip link set ${UPLINK.name} up`,
    `ip -n ${OUTSIDE.name} link set lo up`,
    `ip -n ${OUTSIDE.name} addr add ${OUTSIDE[4]}/24 dev eth0`,
    `ip -n ${OUTSIDE.name} -6 addr add ${OUTSIDE[6]}/64 dev eth0 nodad`,
    `ip -n ${OUTSIDE.name} link set eth0 up`,
    `ip -n ${OUTSIDE.name} route add 10.0.0.0/8 via ${UPLINK[4]}`,
    `ip -n ${OUTSIDE.name} -6 route add fd00::/8 via ${UPLINK[6]}`,
    `ip route add default via ${OUTSIDE[4]}`,
    `ip -6 route add default via ${OUTSIDE[6]}`,
  ]
  sh('host', 'sh', '-ec', commands.join('\n'))
}

export function unplugOutside(): void {
  sh('host', 'ip', 'netns', 'delete', OUTSIDE.name)
}

const CALLS = ['bridge-nf-call-iptables', 'bridge-nf-call-ip6tables']

/** Whether this kernel can hand bridged packets to the IP hooks. */
export const hasBridgeNetfilter = (): boolean => existsSync(`/proc/sys/net/bridge/${CALLS[0]}`)

export function setBridgeNetfilter(on: boolean): void {
  if (hasBridgeNetfilter()) for (const call of CALLS) writeFileSync(`/proc/sys/net/bridge/${call}`, on ? '1' : '0')
}
