import { driverKernelConformance } from 'libcnm/testing'
import { describe, it } from 'vitest'
import { bridge } from '../../drivers/bridge/index.js'
import { host } from '../../drivers/host/index.js'
import { macvlan } from '../../drivers/macvlan/index.js'
import { nullDriver } from '../../drivers/null/index.js'
import type { HostLink } from '../../src/contracts/index.js'
import { MACVLAN_SAMPLES, UPLINK } from '../drivers/parent-samples.js'
import { needsPrivileges } from '../tools.js'

const privileged = needsPrivileges() === undefined
const named = { 'com.docker.network.bridge.name': 'br0' }
const br0: HostLink = { name: 'br0', index: 3, type: 'bridge', mtu: 1400, up: true, addresses: [] }

describe('bridge', () =>
  driverKernelConformance({
    driver: bridge,
    samples: [
      { title: 'no options' },
      { title: 'IPv4 only', ipv6: false },
      { title: 'internal', internal: true },
      {
        title: 'routed',
        networkOptions: { 'com.docker.network.bridge.gateway_mode_ipv6': 'routed', isolate: 'strict', accept_fwmark: '1/3' },
      },
      { title: 'isolated from the host', internal: true, networkOptions: { 'com.docker.network.bridge.gateway_mode_ipv4': 'isolated' } },
      { title: 'a policy', networkOptions: { policy: 'allow from member0 to tier=db tcp/80-90 icmp; allow to member1' } },
      { title: 'true addresses only', networkOptions: { address_spoof_check: 'true' } },
      { title: 'no communication', networkOptions: { 'com.docker.network.bridge.enable_icc': 'false' } },
    ],
    privileged,
    describe,
    it,
  }))
describe('bridge that is there already', () =>
  driverKernelConformance({
    driver: bridge,
    samples: [
      { title: 'adopted', exclusive: true, networkOptions: named, host: { links: [br0] }, ipv6: false },
      { title: 'unmanaged', exclusive: true, networkOptions: { ...named, mode: 'unmanaged' }, host: { links: [br0] }, ipv6: false },
    ],
    // A MAC of its own: without one, a bridge takes that of a port, and keeps nothing when the port goes.
    prepare: [
      { kind: 'link', at: 'host', type: 'bridge', name: 'br0', mac: '02:00:00:00:02:00', mtu: 1400, ipv6AddressGeneration: 'none' },
    ],
    privileged,
    describe,
    it,
  }))
describe('host', () =>
  driverKernelConformance({ driver: host, samples: [{ title: 'no options', networkName: 'host' }], privileged, describe, it }))
describe('null', () => driverKernelConformance({ driver: nullDriver, privileged, describe, it }))
describe('macvlan', () => driverKernelConformance({ driver: macvlan, samples: MACVLAN_SAMPLES, prepare: UPLINK, privileged, describe, it }))
