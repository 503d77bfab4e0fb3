import { sh } from '../drivers/world.js'

/** A LAN: the host's device `up0`, and on its other end a namespace `lan` with a router and servers. */
export const LAN = 'lan'
export const ROUTERS = ['10.77.0.1', '10.77.0.2'] as const

export function makeLan(): void {
  sh(
    'host',
    'sh',
    '-ec',
    `ip netns add ${LAN}
     ip link add up0 type veth peer name eth0 netns ${LAN}
     ip link set up0 addrgenmode none up
     ip -n ${LAN} link set lo up
     ip -n ${LAN} link set eth0 up`,
  )
  addressLan(...ROUTERS)
}

/** Gives the server's interface these addresses and no others. */
export function addressLan(...addresses: string[]): void {
  sh(LAN, 'ip', 'addr', 'flush', 'dev', 'eth0')
  for (const address of addresses) sh(LAN, 'ip', 'addr', 'add', `${address}/24`, 'dev', 'eth0')
}

export function removeLan(): void {
  sh('host', 'ip', 'netns', 'delete', LAN)
}
