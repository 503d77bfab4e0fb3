import { expect, it } from 'vitest'
import type { Place } from '../../src/contracts/kernel-objects.js'
import { announceLink, linkStatistics } from '../../src/kernel/rtnetlink/index.js'
import { neighboursOf, sorted } from './rtnetlink-iproute2.js'
import { World } from './rtnetlink-world.js'

const MAC = '02:00:00:00:00:0a'

/** Two namespaces and a wire, on which nothing is said by itself. */
function withWire(): { world: World; a: Place; b: Place } & Disposable {
  const world = new World()
  const [a, b] = [world.place('a'), world.place('b')]
  world.create({
    kind: 'link',
    at: a,
    type: 'veth',
    name: 'v0',
    mac: MAC,
    ipv6AddressGeneration: 'none',
    peer: { at: b, name: 'v1', ipv6AddressGeneration: 'none' },
  })
  world.create({ kind: 'address', at: a, link: 'v0', address: '10.0.0.1/24' })
  world.create({ kind: 'address', at: b, link: 'v1', address: '10.0.0.2/24' })
  world.run(a, 'sysctl', '-qw', 'net.ipv4.conf.v0.arp_notify=1', 'net.ipv6.conf.v0.ndisc_notify=1')
  world.run(b, 'sysctl', '-qw', 'net.ipv4.conf.v1.arp_accept=1')
  return { world, a, b, [Symbol.dispose]: () => world[Symbol.dispose]() }
}

it('the neighbours of a link learn its addresses when it is announced', () => {
  using scene = withWire()
  const { world, a, b } = scene
  expect(neighboursOf(world, b)).toEqual([])
  announceLink(world.session, a, 'v0')
  world.until(() => neighboursOf(world, b).length > 0)
  expect(neighboursOf(world, b)).toEqual([{ kind: 'neighbour', at: b, link: 'v1', address: '10.0.0.1', mac: MAC, state: 'stale' }])
})

it('IPv6 addresses are announced too', () => {
  using scene = withWire()
  const { world, a, b } = scene
  world.create({ kind: 'address', at: a, link: 'v0', address: 'fd00::1/64', noDad: true })
  // Multicast of its own (MLD) follows a new address for a while; an advertisement has 72 bytes and the Ethernet header.
  world.until(() => world.show('ip', a, '-6', 'address', 'show', 'dev', 'v0', 'tentative').length === 0)
  const before = linkStatistics(world.session, b, 'v1').rxPackets
  announceLink(world.session, a, 'v0')
  // One ARP and one advertisement at least.
  world.until(() => linkStatistics(world.session, b, 'v1').rxPackets >= before + 2)
})

it('permanent neighbours of the link stay, and nothing else changes', () => {
  using scene = withWire()
  const { world, a } = scene
  const kept = [
    { kind: 'neighbour', at: a, link: 'v0', address: '10.0.0.9', mac: '02:00:00:00:00:09' },
    { kind: 'neighbour', at: a, link: 'v0', address: '10.0.0.8', mac: '02:00:00:00:00:08', state: 'noarp' },
    { kind: 'neighbour', at: a, link: 'v0', address: '10.0.0.7', proxy: true },
  ] as const
  for (const neighbour of kept) world.create(neighbour)
  const links = world.list('link', a)
  announceLink(world.session, a, 'v0')
  expect(sorted(neighboursOf(world, a))).toEqual(sorted(kept))
  expect(world.list('link', a)).toEqual(links)
})

it('a link that is not there cannot be announced; one without a MAC has nothing to say', () => {
  using scene = withWire()
  const { world, a } = scene
  expect(() => announceLink(world.session, a, 'none')).toThrowError(expect.objectContaining({ code: 'ERR_CNM_LINK_NOT_FOUND' }))
  announceLink(world.session, a, 'lo')
})
