import { access } from 'node:fs/promises'
import type { HostFacts, NetworkView } from '../../src/contracts/index.js'
import type { ParentOptions } from './options.js'
import { findParent } from './parent.js'

type Warn = (message: string, about: string) => void

/** What will not work as one might expect: a parent that is down, or that cannot send as several stations. */
export async function reportParent(network: NetworkView<ParentOptions>, host: HostFacts, ownMacs: boolean, warn: Warn): Promise<void> {
  const parent = findParent(network, host)
  if (parent === undefined) return
  if (!parent.up) warn(`parent ${parent.name} of network ${network.name} is down: nothing leaves the host until it is up`, network.id)
  if (ownMacs && (await isWireless(parent.name))) {
    warn(
      `parent ${parent.name} of network ${network.name} is wireless: most access points drop frames of other MACs; use ipvlan`,
      network.id,
    )
  }
}

const isWireless = (name: string): Promise<boolean> =>
  access(`/sys/class/net/${name}/phy80211`).then(
    () => true,
    () => false,
  )
