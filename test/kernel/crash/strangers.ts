import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import type { Controller } from 'libcnm'

/** What endpoints are inside of a sandbox; the kernel puts links of other kinds there by itself. */
const OURS = new Set(['veth', 'macvlan', 'ipvlan'])

const json = <T>(command: string, ...args: string[]): T => JSON.parse(execFileSync(command, args, { encoding: 'utf8' }) || '[]') as T

/**
 * What the kernel holds under the instance's name and no object of the controller accounts for, asked of ip(8) and nft(8):
 * links, also inside of sandboxes, namespaces, rules' comments. Empty when all is well.
 */
export async function strangers(controller: Controller, instance: string): Promise<string[]> {
  const ids = new Set<string>()
  for (const network of controller.networks) {
    ids.add(network.id)
    for (const endpoint of network.endpoints) if (endpoint.sandbox !== undefined) ids.add(endpoint.id)
  }
  for (const { id } of controller.sandboxes) ids.add(id)
  const links = json<{ ifname: string; ifalias?: string }[]>('ip', '-j', '-details', 'link')
    .filter(({ ifalias }) => ifalias?.startsWith(`libcnm:${instance}:`) === true && !ids.has(ifalias.split(/[:/]/)[3]!))
    .map(({ ifname }) => `link ${ifname}`)
  const names = new Map([...controller.sandboxes].map((sandbox) => [sandbox.netns.split('/').pop()!, sandbox]))
  const namespaces = namespaceNames().filter((name) => name.startsWith(`${instance}-`) && !names.has(name))
  const comments = [
    ...JSON.stringify(json('nft', '-j', 'list', 'ruleset')).matchAll(/"comment": ?"(?:network|endpoint|sandbox)\/([0-9a-f]{64})/g),
  ]
  const rules = comments.map(([, id]) => id!).filter((id) => !ids.has(id))
  const inside = [...names].flatMap(([name, { endpoints }]) => {
    const joined = new Set(endpoints.map(({ interfaceName }) => interfaceName))
    const made = json<{ ifname: string; linkinfo?: { info_kind: string } }[]>('ip', '-n', name, '-j', '-details', 'link')
    const strange = made.filter(({ ifname, linkinfo }) => OURS.has(linkinfo?.info_kind ?? '') && !joined.has(ifname))
    return strange.map(({ ifname }) => `link ${ifname} in ${name}`)
  })
  return [...links, ...inside, ...namespaces.map((name) => `namespace ${name}`), ...rules.map((id) => `rule of ${id}`)]
}

function namespaceNames(): string[] {
  try {
    return readdirSync('/run/netns')
  } catch {
    return []
  }
}
