import { FEATURE_NAMES, type Capabilities, type FeatureName, type Verdict } from './capabilities.js'
import { probeLinks } from './links.js'
import { probeNftables } from './nftables.js'
import { privileges } from './privileges.js'
import * as protocols from './protocols.js'
import { probeQdiscs } from './qdiscs.js'
import { hostSettings } from './settings.js'
import { storage } from './storage.js'
import { no } from './capabilities.js'
import { attempt } from './verdict.js'
import { ProbeWorld } from './world.js'

type Single = (world: ProbeWorld) => Verdict
type Group = (names: FeatureName[], world: ProbeWorld) => Map<FeatureName, Verdict>

const SINGLES: Partial<Record<FeatureName, Single>> = {
  ...privileges,
  ...storage,
  'network-namespaces': protocols.networkNamespaces,
  'listen-all-nsid': protocols.listenAllNsid,
  'ethtool-netlink': protocols.ethtoolNetlink,
  ipv6: protocols.ipv6,
  conntrack: protocols.conntrack,
  xfrm: protocols.xfrm,
  'xfrm-esp': protocols.xfrmEsp,
}

/** Features that are asked for together, by how their names begin. */
const GROUPS: [pattern: RegExp, probe: Group][] = [
  [/^(link|bridge)-/, probeLinks],
  [/^qdisc-/, probeQdiscs],
  [/^nft/, probeNftables],
]

/**
 * What this kernel and this user can do, found out by doing it in a network namespace that is thrown away. Blocks
 * for some milliseconds, longer when the kernel loads modules; only what is asked for is tried. The calling thread
 * must be one that may change its namespace, and is back in its own afterwards.
 */
export function probe(names: readonly FeatureName[] = FEATURE_NAMES): Capabilities {
  const world = new ProbeWorld()
  const found = new Map<FeatureName, Verdict>()
  try {
    for (const name of names) {
      const single = SINGLES[name]
      if (single !== undefined) found.set(name, single(world))
    }
    for (const [pattern, group] of GROUPS) {
      const asked = names.filter((name) => SINGLES[name] === undefined && pattern.test(name))
      if (asked.length > 0) for (const [name, verdict] of probeTogether(asked, group, world)) found.set(name, verdict)
    }
  } finally {
    world.close()
  }
  const features = Object.fromEntries(names.map((name) => [name, found.get(name) ?? no('not a feature')]))
  return { settings: hostSettings(), features: features as Capabilities['features'] }
}

function probeTogether(names: FeatureName[], group: Group, world: ProbeWorld): Map<FeatureName, Verdict> {
  let verdicts = new Map<FeatureName, Verdict>()
  const asked = attempt(() => {
    verdicts = group(names, world)
  })
  return asked.available ? verdicts : new Map(names.map((name) => [name, asked]))
}
