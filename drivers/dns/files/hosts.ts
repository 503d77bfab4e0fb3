/** An address and the names that it has. */
export interface HostsEntry {
  address: string
  names: readonly string[]
}

const BEGIN = '# begin libcnm (written by it; other lines are left alone)'
const END = '# end libcnm'
/** Also finds blocks whose explanation was worded otherwise. */
const BEGIN_PATTERN = /^# begin libcnm\b/

/** What every hosts file begins with; the IPv6 lines only where the sandbox has IPv6. */
export function basicHosts(ipv6: boolean): string {
  const lines = ['127.0.0.1\tlocalhost']
  if (ipv6) {
    lines.push('::1\tlocalhost ip6-localhost ip6-loopback', 'fe00::\tip6-localnet', 'ff00::\tip6-mcastprefix')
    lines.push('ff02::1\tip6-allnodes', 'ff02::2\tip6-allrouters')
  }
  return `${lines.join('\n')}\n`
}

/**
 * The text of a hosts(5) file with our block brought up to date: replaced where it is, or added at the end. Every other
 * byte stays. A block without its end (somebody cut it) is taken to be the one line that begins it.
 * @param entries empty: the block goes
 */
export function updateHosts(text: string, entries: readonly HostsEntry[]): string {
  const block = entries.length === 0 ? '' : `${[BEGIN, ...entries.map(line), END].join('\n')}\n`
  const lines = text.split(/(?<=\n)/)
  const begin = lines.findIndex((one) => BEGIN_PATTERN.test(one))
  if (begin === -1) return block === '' ? text : `${text}${text === '' || text.endsWith('\n') ? '' : '\n'}${block}`
  const end = lines.findIndex((one, at) => at > begin && one.trimEnd() === END)
  const before = lines.slice(0, begin).join('')
  return before + block + lines.slice((end === -1 ? begin : end) + 1).join('')
}

function line({ address, names }: HostsEntry): string {
  return `${address.split('/', 1)[0]!}\t${names.join(' ')}`
}
