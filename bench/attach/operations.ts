import type { Operation } from 'libcnm/contracts'

export const BRIDGE = 'br0'

const path = (i: number): string => `/run/netns/bench-${i}`

/** The bridge that sandboxes are attached to. */
export const bridge: Operation[] = [
  { do: 'create', object: { kind: 'link', type: 'bridge', at: 'host', name: BRIDGE } },
  { do: 'create', object: { kind: 'address', at: 'host', link: BRIDGE, address: '10.20.0.1/16' } },
]

/** What floor.c does for one sandbox, as one transaction. */
export function attach(i: number): Operation[] {
  const at = path(i)
  return [
    { do: 'create', object: { kind: 'namespace', at } },
    { do: 'create', object: pair(i) },
    { do: 'create', object: { kind: 'link', type: 'existing', at, name: 'lo', up: true } },
    { do: 'create', object: { kind: 'address', at, link: 'eth0', address: `10.20.${(i + 2) >> 8}.${(i + 2) & 255}/16` } },
    { do: 'create', object: { kind: 'route', at, destination: 'default', gateway: '10.20.0.1', link: 'eth0', protocol: 4 } },
  ]
}

export function detach(i: number): Operation[] {
  return [
    { do: 'delete', object: pair(i) },
    { do: 'delete', object: { kind: 'namespace', at: path(i) } },
  ]
}

/** Only the link goes: what a sandbox does that leaves a network. */
export const unplug = (i: number): Operation[] => [{ do: 'delete', object: pair(i) }]

function pair(i: number): Extract<Operation, { do: 'create' }>['object'] {
  return { kind: 'link', type: 'veth', at: 'host', name: `bench${i}`, master: BRIDGE, peer: { at: path(i), name: 'eth0' } }
}
