import type { Description, HostLink } from '../../src/contracts/index.js'
import type { DriverSample } from 'libcnm/testing'

/** Ways of using macvlan and ipvlan, for the conformance suites. The host has a device `up0`. */

const up0: HostLink = {
  name: 'up0',
  index: 3,
  type: 'veth',
  mtu: 1500,
  mac: '02:00:00:00:03:00',
  up: true,
  addresses: ['10.213.0.250/24', 'fd00:213:1::250/64', '10.213.1.250/24', 'fd00:213:2::250/64'],
}
const host = { links: [up0] }

/** `up0` as it has to be in the kernel. */
export const UPLINK: Description = [
  { kind: 'link', at: 'host', type: 'veth', name: 'up0', mac: up0.mac, ipv6AddressGeneration: 'none', peer: { at: 'host', name: 'up1' } },
  ...['10.213.0.250/24', 'fd00:213:1::250/64'].map((address) => ({
    kind: 'address' as const,
    at: 'host',
    link: 'up0',
    address,
    ...(address.includes(':') && { noDad: true }),
  })),
]

const sample = (title: string, networkOptions: Record<string, string> = {}, more: Partial<DriverSample> = {}): DriverSample => ({
  title,
  networkOptions: { parent: 'up0', ...networkOptions },
  host,
  ...more,
})

/** What needs nothing but macvlan links. */
export const MACVLAN_SAMPLES: DriverSample[] = [
  sample('a parent'),
  sample('IPv4 only', {}, { ipv6: false }),
  sample('internal', {}, { internal: true }),
  sample('private, with an MTU and a metric', { macvlan_mode: 'private', mtu: '1400', metric: '7' }),
  sample('vepa', { mode: 'vepa', bcqueuelen: '100' }),
  sample('source', { macvlan_mode: 'source', source_macs: '02:00:00:00:00:aa,02:00:00:00:00:0b' }),
  sample('access from the host', { host_access: 'true' }),
]
export const MACVLAN_VLAN_SAMPLES: DriverSample[] = [
  sample('a VLAN', { parent: 'up0.100' }),
  sample('no parent', {}, { networkOptions: {}, internal: true }),
]
/** One endpoint at a time. */
export const PASSTHRU = sample('passthru', { macvlan_mode: 'passthru' }, { exclusive: true })

export const IPVLAN_SAMPLES: DriverSample[] = [
  sample('a parent'),
  sample('IPv4 only', {}, { ipv6: false }),
  sample('internal', {}, { internal: true }),
  sample('l3', { ipvlan_mode: 'l3', metric: '7' }),
  sample('l3s, private, with an MTU', { ipvlan_mode: 'l3s', ipvlan_flag: 'private', mtu: '1400' }),
  sample('vepa', { ipvlan_flag: 'vepa' }),
  sample('a VLAN', { parent: 'up0.100' }),
  sample('no parent', {}, { networkOptions: {}, internal: true }),
]
