import type { BridgePortObject, BridgeVlanObject, FdbObject, Place, QdiscObject } from '../../src/contracts/kernel-objects.js'
import { has, list, number, plain, text, unless } from './rtnetlink-iproute2-json.js'
import type { World } from './rtnetlink-world.js'

const FDB_STATES: Record<string, FdbObject['state']> = { static: 'noarp', '': 'reachable', stale: 'reachable' }

export function fdbOf(world: World, at: Place): FdbObject[] {
  return world.show('bridge', at, 'fdb').map((entry) =>
    plain({
      kind: 'fdb',
      at,
      link: String(entry.ifname),
      mac: String(entry.mac),
      destination: text(entry.dst),
      port: number(entry.port),
      vni: number(entry.vni),
      vlan: number(entry.vlan),
      table: entry.master === undefined || entry.master === entry.ifname ? undefined : 'master',
      state: FDB_STATES[String(entry.state)],
    }),
  )
}

export function portsOf(world: World, at: Place): BridgePortObject[] {
  return world.show('bridge', at, 'link').flatMap((port) =>
    port.master === undefined
      ? []
      : [
          plain({
            kind: 'bridge-port',
            at,
            link: String(port.ifname),
            cost: Number(port.cost),
            priority: unless(number(port.priority), 32),
            hairpin: unless(port.hairpin === true, false),
            guard: unless(port.guard === true, false),
            learning: unless(port.learning === true, true),
            flooding: unless(port.flood === true, true),
            multicastFlooding: unless(port.mcast_flood === true, true),
            broadcastFlooding: unless(port.bcast_flood === true, true),
            neighbourSuppression: unless(port.neigh_suppress === true, false),
            isolated: unless(port.isolated === true, false),
            locked: unless(port.locked === true, false),
          }),
        ],
  )
}

export function vlansOf(world: World, at: Place): BridgeVlanObject[] {
  const bridges = new Set(world.show('ip', at, 'link', 'show', 'type', 'bridge').map((link) => link.ifname))
  return world.show('bridge', at, '-compressvlans', 'vlan').flatMap((entry) =>
    list(entry.vlans).map((vlan) =>
      plain({
        kind: 'bridge-vlan',
        at,
        link: String(entry.ifname),
        id: Number(vlan.vlan),
        end: number(vlan.vlanEnd),
        pvid: has(vlan.flags, 'PVID') ? true : undefined,
        untagged: has(vlan.flags, 'Egress Untagged') ? true : undefined,
        self: bridges.has(entry.ifname) ? true : undefined,
      }),
    ),
  )
}

/** Only which types are where: tc(8) rounds what they are set to. */
export function qdiscsOf(world: World, at: Place): Pick<QdiscObject, 'link' | 'parent'>[] {
  return world.show('tc', at, 'qdisc').flatMap((qdisc) =>
    qdisc.handle === '0:'
      ? []
      : [
          plain({
            link: String(qdisc.dev),
            parent: qdisc.root === true ? undefined : String(qdisc.kind),
            type: qdisc.kind === 'clsact' ? 'ingress' : String(qdisc.kind),
          }),
        ],
  ) as Pick<QdiscObject, 'link' | 'parent'>[]
}
