import { CnmError, type NetworkView, type SubnetView } from '../../src/contracts/index.js'
import type { OverlayOptions } from './network-options.js'

/** One bridge and one VXLAN: an IPv4 subnet, the IPv6 subnet of the same place in the list, or both. */
export interface Segment {
  index: number
  subnets: SubnetView[]
  vni: number
}

const ofFamily = (network: NetworkView, family: 4 | 6): SubnetView[] => network.subnets.filter((subnet) => subnet.family === family)

export const countSegments = (network: NetworkView): number => Math.max(ofFamily(network, 4).length, ofFamily(network, 6).length)

export function segmentsOf(network: NetworkView<OverlayOptions>): Segment[] {
  const [four, six] = [ofFamily(network, 4), ofFamily(network, 6)]
  const vnis = network.numbers?.vni ?? []
  return Array.from({ length: countSegments(network) }, (_, index) => {
    const subnets = [four[index], six[index]].filter((subnet) => subnet !== undefined)
    return { index, subnets, vni: vnis[index] ?? 0 }
  })
}

interface Addressed {
  readonly name: string
  readonly addresses: readonly { address: string; family: 4 | 6 }[]
}

/** The segment of an endpoint. @throws CnmError ERR_CNM_INVALID_ARGUMENT when its addresses are of several */
export function segmentOf(network: NetworkView<OverlayOptions>, { name, addresses }: Addressed): Segment {
  const segments = segmentsOf(network)
  const found = addresses.map(({ address }) => segments.find(({ subnets }) => subnets.some(({ subnet }) => isWithin(subnet, address))))
  const [first] = found
  if (first !== undefined && found.every((each) => each === first)) return first
  const list = addresses.map(({ address }) => address).join(', ')
  throw new CnmError(
    'ERR_CNM_INVALID_ARGUMENT',
    `endpoint ${name}: its addresses (${list}) must be of one segment of network ${network.name}: the first IPv4 subnet goes with the first of IPv6, and so on`,
    { field: 'addresses' },
  )
}

/** Whether an address with its prefix length is one of the subnet's. */
function isWithin(subnet: string, address: string): boolean {
  const [base = '', length = ''] = subnet.split('/')
  const [host = '', bits = ''] = address.split('/')
  if (subnet.includes(':') !== address.includes(':') || length !== bits) return false
  const shift = BigInt((subnet.includes(':') ? 128 : 32) - Number(length))
  return numberOf(base) >> shift === numberOf(host) >> shift
}

function numberOf(address: string): bigint {
  if (!address.includes(':')) return address.split('.').reduce((number, part) => (number << 8n) | BigInt(part), 0n)
  const [before = '', after] = address.split('::')
  const left = before === '' ? [] : before.split(':')
  const right = after === undefined || after === '' ? [] : after.split(':')
  const groups = after === undefined ? left : [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right]
  return groups.reduce((number, group) => (number << 16n) | BigInt(`0x${group}`), 0n)
}
