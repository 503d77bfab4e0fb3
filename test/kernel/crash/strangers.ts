import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import type { Controller } from 'libcnm'

const json = <T>(command: string, ...args: string[]): T => JSON.parse(execFileSync(command, args, { encoding: 'utf8' }) || '[]') as T

/**
 * What the kernel holds under the instance's name and no object of the controller accounts for, asked of ip(8) and nft(8):
 * links, namespaces, rules' comments. Empty when all is well.
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
  const mine = new Set([...controller.sandboxes].map(({ netns }) => netns.split('/').pop()!))
  const namespaces = namespaceNames().filter((name) => name.startsWith(`${instance}-`) && !mine.has(name))
  const comments = [
    ...JSON.stringify(json('nft', '-j', 'list', 'ruleset')).matchAll(/"comment": ?"(?:network|endpoint|sandbox)\/([0-9a-f]{64})/g),
  ]
  const rules = comments.map(([, id]) => id!).filter((id) => !ids.has(id))
  return [...links, ...namespaces.map((name) => `namespace ${name}`), ...rules.map((id) => `rule of ${id}`)]
}

function namespaceNames(): string[] {
  try {
    return readdirSync('/run/netns')
  } catch {
    return []
  }
}
