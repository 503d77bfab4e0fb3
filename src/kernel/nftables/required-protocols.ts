import type { Statement } from '../../contracts/firewall-rules.js'
import { isProtocol, type Protocol } from './protocols.js'

/** The protocols that a packet must have before the statement can be evaluated, in the order of the fields in it. */
export function requiredProtocols(statement: Statement): Protocol[] {
  const found = new Set<Protocol>()
  if ('reject' in statement) {
    const { type } = statement.reject
    if (type === 'icmp') found.add('ip')
    if (type === 'icmpv6') found.add('ip6')
    if (type === 'tcp reset') found.add('tcp')
  } else collect(statement, found)
  return [...found]
}

function collect(value: unknown, found: Set<Protocol>): void {
  if (typeof value !== 'object' || value === null) return
  for (const [key, child] of Object.entries(value)) {
    const protocol = key === 'payload' && typeof child === 'string' ? child.slice(0, child.indexOf(' ')) : ''
    if (isProtocol(protocol)) found.add(protocol)
    else collect(child, found)
  }
}
