import { asBoolean, asLinkName, asMetric, asMtu, asNegated, type OptionTable } from '../../src/contracts/index.js'

/** What networks on a parent device have in common. */
export interface ParentOptions {
  /** Device of the host that endpoints share; `eth0.100` is made, with that VLAN, if it is not there. Absent: a dummy device of the network's own. */
  parent?: string
  /** Bytes; `auto`: that of the parent. */
  mtu: number | 'auto'
  /** The host and the endpoints reach one another, through an interface of the network on the host. */
  hostAccess: boolean
  /** Endpoints take their default route through the network's gateway, if it has one. */
  defaultRoute: boolean
  /** Metric of that route. */
  metric?: number
}

export const PARENT_DEFAULTS: ParentOptions = { mtu: 'auto', hostAccess: false, defaultRoute: true }

export const PARENT_OPTIONS: OptionTable<ParentOptions> = {
  parent: { to: 'parent', parse: asLinkName },
  mtu: { to: 'mtu', parse: asMtu },
  'com.docker.network.driver.mtu': { to: 'mtu', parse: asMtu },
  host_access: { to: 'hostAccess', parse: asBoolean },
  no_default_route: { to: 'defaultRoute', parse: asNegated },
  metric: { to: 'metric', parse: asMetric },
}
