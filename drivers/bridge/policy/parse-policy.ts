/** Which endpoints a statement speaks of. */
export type Selector =
  | { any: true }
  /** An endpoint by its name. */
  | { name: string }
  /** Endpoints that have all of these labels. */
  | { labels: Record<string, string> }

export type PolicyProtocol = 'tcp' | 'udp' | 'sctp' | 'icmp'

export interface PolicyPorts {
  protocol: PolicyProtocol
  /** Absent: every port. */
  first?: number
  last?: number
}

/** What one statement allows. Nothing else is allowed between the endpoints of the network. */
export interface Allowance {
  from: Selector
  to: Selector
  /** Empty: everything. */
  ports: PolicyPorts[]
}

const PROTOCOLS = ['tcp', 'udp', 'sctp', 'icmp']
const MAX_PORT = 65535
const ANY: Selector = { any: true }

/**
 * Reads a policy: statements, separated by `;` or line breaks.
 *
 * ```
 * allow from tier=web to tier=db tcp/5432
 * allow from tier=web,env=prod to tcp/80 tcp/8000-8099 icmp
 * allow from admin
 * allow to metrics tcp/9100
 * ```
 * @throws Error saying which statement is wrong
 */
export function parsePolicy(text: string): Allowance[] {
  const statements = text.split(/[;\n]/).map((statement) => statement.trim())
  return statements.filter((statement) => statement !== '').map(parseStatement)
}

function parseStatement(statement: string): Allowance {
  const wrong = (why: string): Error => new Error(`"${statement}": ${why}`)
  const words = statement.split(/\s+/)
  if (words.shift() !== 'allow') throw wrong('a statement begins with allow')
  const allowance: Allowance = { from: ANY, to: ANY, ports: [] }
  let part: 'from' | 'to' | undefined
  const given = new Set<string>()
  for (const word of words) {
    if ((word === 'from' || word === 'to') && !given.has(word)) {
      if (word === 'from' && part === 'to') throw wrong('from comes before to')
      if (word === 'to' && part === 'from' && !given.has('from whom')) throw wrong('from whom?')
      part = word
      given.add(word)
    } else if (part === undefined) throw wrong(`expected from or to, not ${word}`)
    else if (part === 'to' && isPorts(word)) allowance.ports.push(parsePorts(word, wrong))
    else if (given.has(`${part} whom`)) throw wrong(`${word} is one word too many after ${part}`)
    else {
      allowance[part] = parseSelector(word, wrong)
      given.add(`${part} whom`)
    }
  }
  if (part === undefined) throw wrong('from whom, or to whom?')
  if (part === 'from' && !given.has('from whom')) throw wrong('from whom?')
  return allowance
}

const isPorts = (word: string): boolean => PROTOCOLS.includes(word) || /^[a-z]+\/\d/.test(word)

function parsePorts(word: string, wrong: (why: string) => Error): PolicyPorts {
  const match = /^([a-z]+)(?:\/(\d+)(?:-(\d+))?)?$/.exec(word)
  const protocol = match?.[1] as PolicyProtocol | undefined
  if (protocol === undefined || !PROTOCOLS.includes(protocol))
    throw wrong(`${word}: expected one of ${PROTOCOLS.join(', ')}, with or without /port`)
  if (match?.[2] === undefined) return { protocol }
  if (protocol === 'icmp') throw wrong(`${word}: ICMP has no ports`)
  const first = Number(match[2])
  const last = match[3] === undefined ? first : Number(match[3])
  if (first < 1 || last > MAX_PORT || last < first) throw wrong(`${word}: ports go from 1 to ${MAX_PORT}`)
  return { protocol, first, last }
}

function parseSelector(word: string, wrong: (why: string) => Error): Selector {
  if (word === 'any') return ANY
  if (!word.includes('=')) return { name: word }
  const labels: Record<string, string> = {}
  for (const pair of word.split(',')) {
    const at = pair.indexOf('=')
    if (at < 1) throw wrong(`${pair} is not label=value`)
    labels[pair.slice(0, at)] = pair.slice(at + 1)
  }
  return { labels }
}

/** Whether an endpoint is one of those that the selector speaks of. */
export function selects(selector: Selector, endpoint: { name: string; labels: Readonly<Record<string, string>> }): boolean {
  if ('any' in selector) return true
  if ('name' in selector) return selector.name === endpoint.name
  return Object.entries(selector.labels).every(([label, value]) => endpoint.labels[label] === value)
}
