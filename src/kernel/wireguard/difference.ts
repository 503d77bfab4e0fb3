import type { WireguardOptions, WireguardPeer } from '../../contracts/kernel-objects.js'
import type { DeviceChange } from './messages.js'
import type { PeerChange } from './peers.js'

/** What leads from one configuration to another and leaves alone, with their sessions, the peers that stay the same. */
export function configurationChange(from: WireguardOptions, to: WireguardOptions): DeviceChange {
  return { ...scalars(from, to), peers: peerChanges(from.peers ?? [], to.peers ?? []) }
}

function scalars(from: WireguardOptions, to: WireguardOptions): Omit<DeviceChange, 'peers'> {
  const change: Omit<DeviceChange, 'peers'> = {}
  if (from.privateKey !== to.privateKey) change.privateKey = to.privateKey ?? null
  if (from.listenPort !== to.listenPort) change.listenPort = to.listenPort ?? null
  if (from.firewallMark !== to.firewallMark) change.firewallMark = to.firewallMark ?? null
  return change
}

function peerChanges(from: WireguardPeer[], to: WireguardPeer[]): PeerChange[] {
  const before = new Map(from.map((peer) => [peer.publicKey, peer]))
  const after = new Set(to.map(({ publicKey }) => publicKey))
  const removed = from.filter(({ publicKey }) => !after.has(publicKey)).map(({ publicKey }): PeerChange => ({ remove: publicKey }))
  const changed = to.flatMap((peer): PeerChange[] => {
    const old = before.get(peer.publicKey)
    if (old !== undefined && same(old, peer)) return []
    // The kernel cannot make a peer forget its endpoint.
    const anew: PeerChange[] = old?.endpoint !== undefined && peer.endpoint === undefined ? [{ remove: peer.publicKey }] : []
    return [...anew, { set: peer }]
  })
  return [...removed, ...changed]
}

function same(a: WireguardPeer, b: WireguardPeer): boolean {
  const content = ({ presharedKey, endpoint, keepalive = 0, allowedAddresses }: WireguardPeer): string =>
    JSON.stringify([presharedKey, endpoint, keepalive, [...allowedAddresses].sort()])
  return content(a) === content(b)
}
