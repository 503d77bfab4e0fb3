// @ts-check
import { asInteger, CnmError, parseOptions } from 'libcnm/contracts'

/**
 * @import { EndpointView, KernelObject, NetworkDriver, NetworkView } from 'libcnm/contracts'
 * @typedef {{ mtu: number }} PtpOptions
 */

const OPTIONS = { mtu: { to: /** @type {const} */ ('mtu'), parse: asInteger(1280, 65535) } }

/**
 * Networks of routed point-to-point links: no bridge, no broadcasts, the host is everybody's neighbour.
 * @returns {NetworkDriver<PtpOptions>}
 */
export function ptp() {
  return {
    name: 'ptp',
    // Options come as text. What parseOptions does not find in the table is refused, and the nearest name suggested.
    networkOptions: (raw) => parseOptions(raw, OPTIONS, { mtu: 1500 }, 'network of driver ptp'),

    // May refuse, and may return JSON that is kept as network.state.
    async beforeCreate({ subnets }) {
      if (subnets.length === 0) throw new CnmError('ERR_CNM_INVALID_ARGUMENT', 'driver ptp needs a subnet', { field: 'ipam.pools' })
    },

    // What must exist while the network does: here only that the host forwards.
    network: ({ ipv4, ipv6 }) => [
      ...(ipv4 ? [forwarding('net/ipv4/ip_forward')] : []),
      ...(ipv6 ? [forwarding('net/ipv6/conf/all/forwarding')] : []),
    ],

    // What must exist while the endpoint is joined.
    endpoint: (endpoint, network) => [
      ...pair(endpoint, network),
      ...endpoint.addresses.flatMap(({ address, family, gateway }) =>
        gateway === undefined ? [] : wiring(endpoint, network, address, family, gateway),
      ),
    ],
  }
}

/** @returns {KernelObject} */
const forwarding = (/** @type {string} */ path) => ({ kind: 'sysctl', at: 'host', path, value: '1' })

/** Kernel names come from ids: never taken twice, and whoever finds one can tell whose it is. */
const hostEnd = (/** @type {EndpointView} */ endpoint) => `ptp${endpoint.id.slice(0, 12)}`

/**
 * @param {EndpointView} endpoint
 * @param {NetworkView<PtpOptions>} network
 * @returns {KernelObject[]}
 */
function pair(endpoint, { options: { mtu } }) {
  // The place "sandbox" is the namespace of whoever the endpoint is joined to.
  const peer = { at: 'sandbox', name: endpoint.interfaceName, mac: endpoint.mac, mtu }
  return [{ kind: 'link', at: 'host', type: 'veth', name: hostEnd(endpoint), mtu, peer }]
}

/**
 * @param {EndpointView} endpoint
 * @param {NetworkView<PtpOptions>} network
 * @param {string} address
 * @param {4 | 6} family
 * @param {string} gateway
 * @returns {KernelObject[]}
 */
function wiring(endpoint, network, address, family, gateway) {
  const link = endpoint.interfaceName
  const whole = family === 4 ? 32 : 128
  const noDad = family === 6
  /** @type {KernelObject[]} */
  const objects = [
    { kind: 'address', at: 'host', link: hostEnd(endpoint), address: `${gateway}/${whole}`, noDad },
    { kind: 'route', at: 'host', destination: `${address.split('/')[0]}/${whole}`, link: hostEnd(endpoint) },
    { kind: 'address', at: 'sandbox', link, address, noDad, noPrefixRoute: true },
    { kind: 'route', at: 'sandbox', destination: `${gateway}/${whole}`, link },
  ]
  for (const { subnet } of network.subnets.filter((other) => other.family === family)) {
    objects.push({ kind: 'route', at: 'sandbox', destination: subnet, gateway, link })
  }
  // A default route is an offer: of all endpoints of a sandbox, the core takes one.
  if (!network.internal) objects.push({ kind: 'route', at: 'sandbox', destination: 'default', family, gateway, link })
  return objects
}
