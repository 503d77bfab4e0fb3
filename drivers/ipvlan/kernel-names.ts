import type { EndpointView } from '../../src/contracts/index.js'
import type { NamePrefixes } from '../parent-device/parent.js'

/** Dummy parents are named as Docker names them. */
export const PREFIXES: NamePrefixes = { dummy: 'di', host: 'ih' }

const GROUPS = 4
const DIGITS = 4

/** All interfaces of a parent have its MAC, of which the usual link-local address would be made: this one is the endpoint's own. */
export function linkLocalAddress({ id }: EndpointView): string {
  const groups = Array.from({ length: GROUPS }, (_, group) => parseInt(id.slice(group * DIGITS, (group + 1) * DIGITS), 16).toString(16))
  return new URL(`http://[fe80::${groups.join(':')}]/`).hostname.slice(1, -1)
}
