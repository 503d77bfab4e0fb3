import { CnmError } from '../contracts/errors.js'
import type { EndpointOptions } from './options.js'
import { checkInterfaceName, checkMac } from './identifiers.js'
import { ENDPOINT_INTERFACE_NAME, ENDPOINT_SYSCTLS } from './views.js'

export interface ReadEndpointOptions {
  mac?: string
  interfaceName?: string
  sysctls: Record<string, string>
  linkLocal: string[]
}

/** What the core itself makes of an endpoint's options, also of those given under the names users know. */
export function readEndpointOptions(options: EndpointOptions): ReadEndpointOptions {
  const raw = options.options ?? {}
  const name = options.interfaceName ?? raw[ENDPOINT_INTERFACE_NAME]
  return {
    mac: options.mac === undefined ? undefined : checkMac(options.mac, 'mac'),
    interfaceName: name === undefined ? undefined : checkInterfaceName(name, 'interfaceName'),
    sysctls: { ...sysctlList(raw[ENDPOINT_SYSCTLS]), ...checkedSysctls(options.sysctls ?? {}, 'sysctls') },
    linkLocal: (options.linkLocalAddresses ?? []).map(linkLocal),
  }
}

function sysctlList(text: string | undefined): Record<string, string> {
  if (text === undefined || text === '') return {}
  const field = `options.${ENDPOINT_SYSCTLS}`
  const pairs = text.split(',').map((pair) => {
    const at = pair.indexOf('=')
    if (at < 1) throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `${field}: ${pair} is not name=value`, { field })
    return [pair.slice(0, at).trim(), pair.slice(at + 1).trim()] as const
  })
  return checkedSysctls(Object.fromEntries(pairs), field)
}

/** `net.ipv4.conf.IFNAME.arp_ignore`: five parts, the fourth stands for the interface. */
const SYSCTL = /^net\.(?:ipv4|ipv6|mpls)\.[a-z0-9_]+\.IFNAME\.[a-z0-9_]+$/

function checkedSysctls(sysctls: Record<string, string>, field: string): Record<string, string> {
  for (const [name, value] of Object.entries(sysctls)) {
    if (!SYSCTL.test(name)) {
      throw new CnmError(
        'ERR_CNM_INVALID_ARGUMENT',
        `${field}: ${name} is no sysctl of an interface (net.<family>.<group>.IFNAME.<name>)`,
        { field },
      )
    }
    if (/[\n\0]/.test(value)) throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `${field}: value of ${name} has a line break`, { field })
  }
  return sysctls
}

/** Path below /proc/sys for an interface. */
export const sysctlPath = (name: string, interfaceName: string): string =>
  name
    .split('.')
    .map((part) => (part === 'IFNAME' ? interfaceName : part))
    .join('/')

function linkLocal(address: string): string {
  if (/^169\.254\.\d+\.\d+$/.test(address)) return `${address}/16`
  if (/^fe[89ab][0-9a-f]:/i.test(address)) return `${address.toLowerCase()}/64`
  throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `linkLocalAddresses: ${address} is not link-local (169.254.0.0/16, fe80::/10)`, {
    field: 'linkLocalAddresses',
  })
}
