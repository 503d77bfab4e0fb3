import { NETLINK_ROUTE } from '../handler.js'
import { NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, type MessageWriter } from '../netlink/writer.js'
import type { FeatureName, Verdict } from './capabilities.js'
import { verdictOf } from './verdict.js'
import type { ProbeWorld } from './world.js'

// linux/rtnetlink.h, linux/if_link.h
const RTM_NEWLINK = 16
const IFLA_IFNAME = 3
const IFLA_LINK = 5
const IFLA_LINKINFO = 18
const IFLA_INFO_KIND = 1
const IFLA_INFO_DATA = 2
const FIRST_PARENT = 10_000

interface ProbedLink {
  kind: string
  /** Needs a lower device. */
  parent?: boolean
  /** Attributes of IFLA_INFO_DATA. */
  data?: (writer: MessageWriter) => void
}

const LINKS: Partial<Record<FeatureName, ProbedLink>> = {
  'link-bridge': { kind: 'bridge' },
  // IFLA_BR_VLAN_FILTERING
  'bridge-vlan-filtering': { kind: 'bridge', data: (writer) => writer.attrU8(7, 1) },
  'link-veth': { kind: 'veth' },
  // IFLA_VXLAN_ID
  'link-vxlan': { kind: 'vxlan', data: (writer) => writer.attrU32(1, 1) },
  // IFLA_MACVLAN_MODE bridge
  'link-macvlan': { kind: 'macvlan', parent: true, data: (writer) => writer.attrU32(1, 4) },
  // IFLA_IPVLAN_MODE l2
  'link-ipvlan': { kind: 'ipvlan', parent: true, data: (writer) => writer.attrU16(1, 0) },
  // IFLA_VLAN_ID
  'link-vlan': { kind: 'vlan', parent: true, data: (writer) => writer.attrU16(1, 100) },
  'link-dummy': { kind: 'dummy' },
  // IFLA_VRF_TABLE
  'link-vrf': { kind: 'vrf', data: (writer) => writer.attrU32(1, 1000) },
  'link-ifb': { kind: 'ifb' },
  'link-wireguard': { kind: 'wireguard' },
}

/** Makes one link of each asked kind, in one system call; the kernel answers for each. */
export function probeLinks(names: FeatureName[], world: ProbeWorld): Map<FeatureName, Verdict> {
  const socket = world.socket(NETLINK_ROUTE)
  const asked = names.flatMap((name) => (LINKS[name] === undefined ? [] : [{ name, link: LINKS[name] }]))
  const parents = socket.writer()
  // One parent each: macvlan and ipvlan do not share one.
  asked.forEach(({ link }, i) => link.parent && newLink(parents, { kind: 'bridge' }, `parent${i}`, FIRST_PARENT + i))
  if (parents.sequences.length > 0) socket.exchange(parents)
  const links = socket.writer()
  asked.forEach(({ link }, i) => newLink(links, link, `probe${i}`, 0, FIRST_PARENT + i))
  const answers = socket.exchange(links)
  return new Map(asked.map(({ name }, i) => [name, verdictOf(answers[i])]))
}

/** @param index 0: the kernel chooses */
export function newLink(writer: MessageWriter, link: ProbedLink, name: string, index: number, parent = 0): void {
  writer.begin(RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL)
  // struct ifinfomsg: family, padding, type, index, flags, change
  writer.u8(0).u8(0).u16(0).i32(index).u32(0).u32(0)
  writer.attrString(IFLA_IFNAME, name)
  if (link.parent === true) writer.attrU32(IFLA_LINK, parent)
  writer.nest(IFLA_LINKINFO, () => {
    writer.attrString(IFLA_INFO_KIND, link.kind)
    const { data } = link
    if (data !== undefined) writer.nest(IFLA_INFO_DATA, () => data(writer))
  })
  writer.end()
}
