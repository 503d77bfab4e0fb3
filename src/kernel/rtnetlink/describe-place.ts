import type { Place } from '../../contracts/kernel-objects.js'

const NAMED = '/run/netns/'

/** `ip`, or `ip -n blue` for a namespace of ip(8)'s, or `nsenter --net=<path> ip` for any other. */
export function inNamespace(program: string, at: Place): string {
  if (at === 'host') return program
  if (at.startsWith(NAMED)) return `${program} -n ${at.slice(NAMED.length)}`
  const path = at.startsWith('pid:') ? `/proc/${at.slice(4)}/ns/net` : at
  return `nsenter --net=${path} ${program}`
}
