import { describe, it } from 'vitest'
import { bridge } from '../../drivers/bridge/index.js'
import { host } from '../../drivers/host/index.js'
import { ipvlan } from '../../drivers/ipvlan/index.js'
import { macvlan } from '../../drivers/macvlan/index.js'
import { overlay } from '../../drivers/overlay/index.js'
import { nullDriver } from '../../drivers/null/index.js'
import { driverConformance } from '../../src/testing/driver-conformance.js'
import { IPVLAN_SAMPLES, MACVLAN_SAMPLES, MACVLAN_VLAN_SAMPLES, PASSTHRU } from '../drivers/parent-samples.js'
import type { HostLink } from '../../src/contracts/index.js'

const named = { 'com.docker.network.bridge.name': 'br0' }
const br0: HostLink = { name: 'br0', index: 3, type: 'bridge', mtu: 1400, up: true, addresses: [] }

describe('bridge', () => {
  driverConformance({
    driver: () => bridge({ firewall: 'nftables' }),
    samples: [
      { title: 'no options' },
      { title: 'IPv4 only', ipv6: false },
      { title: 'internal', internal: true },
      { title: 'an adopted bridge', exclusive: true, networkOptions: named, host: { links: [br0] }, ipv6: false },
      { title: 'an unmanaged bridge', exclusive: true, networkOptions: { ...named, mode: 'unmanaged' }, host: { links: [br0] } },
      {
        title: 'routed',
        networkOptions: { 'com.docker.network.bridge.gateway_mode_ipv6': 'routed', isolate: 'strict', accept_fwmark: '1/3' },
      },
      { title: 'isolated from the host', internal: true, networkOptions: { 'com.docker.network.bridge.gateway_mode_ipv4': 'isolated' } },
      { title: 'a policy', networkOptions: { policy: 'allow from member0 to tier=db tcp/80-90 icmp; allow to member1' } },
      { title: 'true addresses only', networkOptions: { address_spoof_check: 'true' } },
      { title: 'no communication between endpoints', networkOptions: { 'com.docker.network.bridge.enable_icc': 'false' } },
    ],
    describe,
    it,
  })
})
describe('bridge without firewall', () => driverConformance({ driver: () => bridge({ firewall: 'none' }), describe, it }))
describe('host', () => driverConformance({ driver: host, samples: [{ title: 'no options', networkName: 'host' }], describe, it }))
describe('null', () => driverConformance({ driver: nullDriver, describe, it }))
describe('macvlan', () =>
  driverConformance({ driver: macvlan, samples: [...MACVLAN_SAMPLES, ...MACVLAN_VLAN_SAMPLES, PASSTHRU], describe, it }))
describe('ipvlan', () => driverConformance({ driver: ipvlan, samples: IPVLAN_SAMPLES, describe, it }))

describe('overlay', () =>
  driverConformance({
    driver: () => overlay(),
    samples: [
      { title: 'no options' },
      { title: 'IPv4 only', ipv6: false },
      { title: 'internal', internal: true },
      { title: 'VNI, port, MTU', networkOptions: { 'com.docker.network.driver.overlay.vxlanid_list': '77', port: '8472', mtu: '1400' } },
      { title: 'without checksum offload', networkOptions: { checksum_offload: 'false' } },
      { title: 'encrypted', networkOptions: { encrypted: '' } },
    ],
    describe,
    it,
  }))
