import type { IpamDriver } from '../contracts/ipam-driver.js'
import type { Store } from '../contracts/store.js'
import type { VolumeDriver } from '../contracts/volume-driver.js'
import type { Kernel } from '../kernel/index.js'
import type { DriverSource } from './driver-registry.js'
import type { AnyNetworkDriver } from './guarded-driver.js'

/** The drivers that come with the package, each loaded when a network first needs it. */
export function builtInDrivers(): DriverSource<AnyNetworkDriver>[] {
  return [
    { name: 'bridge', load: async () => (await import('../../drivers/bridge/index.js')).bridge() },
    { name: 'macvlan', load: async () => (await import('../../drivers/macvlan/index.js')).macvlan() },
    { name: 'ipvlan', load: async () => (await import('../../drivers/ipvlan/index.js')).ipvlan() },
    { name: 'overlay', load: async () => (await import('../../drivers/overlay/index.js')).overlay() },
    { name: 'host', load: async () => (await import('../../drivers/host/index.js')).host() },
    { name: 'null', load: async () => (await import('../../drivers/null/index.js')).nullDriver() },
  ]
}

export async function builtInIpam(store: Store, pools?: readonly { base: string; size: number }[]): Promise<IpamDriver[]> {
  const [{ ipam, nullIpam }, { dhcp }] = await Promise.all([import('../../drivers/ipam/index.js'), import('../../drivers/dhcp/index.js')])
  return [ipam({ store, pools }), nullIpam(), dhcp()]
}

export function builtInVolumeDrivers(kernel: Kernel): DriverSource<VolumeDriver>[] {
  return [{ name: 'local', load: async () => (await import('../../drivers/volume/index.js')).local({ kernel }) }]
}

/** The same for networks of a cluster: many hosts share them, and each follows only what it has joined. */
export async function clusterIpam(store: Store, globalPools?: readonly { base: string; size: number }[]): Promise<IpamDriver[]> {
  const { ipam } = await import('../../drivers/ipam/index.js')
  return [ipam({ store, globalPools, order: 'scattered', follow: false })]
}
