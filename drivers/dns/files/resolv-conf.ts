import { isIP } from 'node:net'

/** A resolv.conf(5), as glibc reads it. */
export interface ResolvConf {
  /** In order; link-local ones with their interface, `fe80::1%eth0`. */
  nameservers: string[]
  search: string[]
  /** Options as written, each once, the last of a kind winning: `ndots:2`, `rotate`. */
  options: string[]
}

/** Reads resolv.conf. Lines it does not know, and addresses that are none, are passed over, as resolvers do. */
export function parseResolvConf(text: string): ResolvConf {
  const parsed: ResolvConf = { nameservers: [], search: [], options: [] }
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line
      .replace(/[#;].*$/, '')
      .trim()
      .split(/\s+/)
    if (keyword === 'nameserver' && values[0] !== undefined && isAddress(values[0])) parsed.nameservers.push(values[0])
    // Of several search and domain lines the last one counts.
    else if (keyword === 'search') parsed.search = values
    else if (keyword === 'domain' && values[0] !== undefined) parsed.search = [values[0]]
    else if (keyword === 'options') for (const option of values) addOption(parsed.options, option)
  }
  return parsed
}

function isAddress(text: string): boolean {
  const [address = '', scope] = text.split('%', 2)
  return isIP(address) !== 0 && (scope === undefined || (scope !== '' && isIP(address) === 6))
}

function addOption(options: string[], option: string): void {
  const kind = option.split(':', 1)[0]!
  const same = options.findIndex((other) => other.split(':', 1)[0] === kind)
  if (same !== -1) options.splice(same, 1)
  options.push(option)
}

/** What a sandbox's resolv.conf is made of. */
export interface SandboxResolvConf {
  /** Where the sandbox finds the resolver. */
  resolver: readonly string[]
  /** The sandbox's own settings; empty lists: take the host's. A search list of `.` alone: none. */
  own: { search: readonly string[]; options: readonly string[] }
  /** The host's file. */
  host: ResolvConf
  /** Servers that the resolver forwards to, for people who read the file. */
  forwardedTo?: readonly string[]
}

/**
 * Writes a sandbox's resolv.conf: the resolver as the only server, the search list and options of the sandbox or else of
 * the host, and `ndots:0` unless one of them says otherwise: names of the sandbox's networks have no dots.
 * @returns the text, and whether `ndots` was set by someone ({@link DnsView.singleLabels} is `local` then)
 */
export function renderResolvConf(settings: SandboxResolvConf): { text: string; ndotsSet: boolean } {
  const search = (settings.own.search.length > 0 ? settings.own.search : settings.host.search).filter((domain) => domain !== '.')
  const options: string[] = []
  for (const option of settings.own.options.length > 0 ? settings.own.options : settings.host.options) addOption(options, option)
  const valid = options.filter((option) => !option.startsWith('ndots') || /^ndots:\d+$/.test(option))
  const ndotsSet = valid.some((option) => option.startsWith('ndots:'))
  if (!ndotsSet) valid.push('ndots:0')
  const lines = [
    '# Written by libcnm: names of networks and endpoints are answered here, others are forwarded.',
    ...settings.resolver.map((address) => `nameserver ${address}`),
    ...(search.length > 0 ? [`search ${search.join(' ')}`] : []),
    `options ${valid.join(' ')}`,
    ...(settings.forwardedTo === undefined ? [] : [`# Forwarded to: ${settings.forwardedTo.join(' ') || 'nobody'}`]),
  ]
  return { text: `${lines.join('\n')}\n`, ndotsSet }
}
