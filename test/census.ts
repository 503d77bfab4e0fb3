import { setTimeout as sleep } from 'node:timers/promises'
import * as sources from './census-sources.js'
import { skipping } from './tools.js'

/** Everything that a test might leave behind, as the kernel tells it: sorted lines per kind. */
export interface Census {
  links: string[]
  addresses: string[]
  /** Routes of all tables, policy rules, permanent neighbours. */
  routes: string[]
  /** Permanent FDB entries. */
  forwarding: string[]
  /** The whole nftables ruleset; empty where there is no `nft`. */
  firewall: string[]
  /** XFRM states and policies. */
  encryption: string[]
  mounts: string[]
  /** Names in /run/netns. */
  namespaces: string[]
  /** What the open descriptors of this process refer to. */
  descriptors: string[]
  /** Children of this process. */
  processes: string[]
}

/**
 * Counts what exists now in the network namespace of this process, or at the path `netns` (mounts, namespaces,
 * descriptors and processes are always those of this process).
 */
export async function takeCensus(netns?: string): Promise<Census> {
  const ofProcess = {
    mounts: sources.mounts(),
    namespaces: sources.namespaces(),
    descriptors: sources.descriptors(),
    processes: sources.processes(),
  }
  const firewall = await sources.firewall(netns)
  if (firewall === undefined) skipping('census of the firewall: nft not installed')
  const [links, addresses, routes, forwarding, encryption] = await Promise.all([
    sources.links(netns),
    sources.addresses(netns),
    sources.routes(netns),
    sources.forwarding(netns),
    sources.encryption(netns),
  ])
  const census = { links, addresses, routes, forwarding, firewall: firewall ?? [], encryption, ...ofProcess }
  for (const found of Object.values(census)) found.sort()
  return census
}

/** What is in one census and not in the other: `+ links {...}` for what came, `- mounts ...` for what went. */
export function censusDifference(before: Census, after: Census): string[] {
  return (Object.keys(before) as (keyof Census)[]).flatMap((kind) => [
    ...without(after[kind], before[kind]).map((line) => `+ ${kind} ${line}`),
    ...without(before[kind], after[kind]).map((line) => `- ${kind} ${line}`),
  ])
}

/** The lines of `all` that `some` does not have; each line of `some` takes away one equal line. */
function without(all: string[], some: string[]): string[] {
  const counts = new Map<string, number>()
  for (const line of some) counts.set(line, (counts.get(line) ?? 0) + 1)
  return all.filter((line) => {
    const left = counts.get(line) ?? 0
    counts.set(line, left - 1)
    return left <= 0
  })
}

export interface LeftBehindOptions {
  /** Milliseconds that the kernel has to finish what it does in the background, such as reaping a namespace. Default 3000. */
  within?: number
  /** Count in the network namespace at this path; give the census `before` the same. */
  netns?: string
  /** Kinds not to compare. Say in the test why. */
  except?: (keyof Census)[]
}

/**
 * The difference to an earlier census, once nothing is left to wait for. Ends a test:
 * `expect(await leftBehind(before)).toEqual([])`.
 */
export async function leftBehind(before: Census, options: LeftBehindOptions = {}): Promise<string[]> {
  const deadline = Date.now() + (options.within ?? 3000)
  for (;;) {
    const after = await takeCensus(options.netns)
    for (const kind of options.except ?? []) after[kind] = before[kind]
    const difference = censusDifference(before, after)
    if (difference.length === 0 || Date.now() > deadline) return difference
    await sleep(50)
  }
}
