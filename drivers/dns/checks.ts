import { isIP } from 'node:net'
import { CnmError } from '../../src/contracts/errors.js'
import {
  DEFAULT_TUNING,
  RESOLVER_ADDRESS,
  RESOLVER_ADDRESS_6,
  type DnsSandbox,
  type DnsServer,
  type DnsTuning,
  type DnsView,
} from './contract.js'
import { checkDnsName } from './names.js'

const invalid = (field: string, why: string): CnmError => new CnmError('ERR_CNM_INVALID_ARGUMENT', `${field}: ${why}`, { field })

/** @throws CnmError ERR_CNM_UNKNOWN_OPTION, ERR_CNM_INVALID_ARGUMENT */
export function checkTuning(tuning: Partial<DnsTuning>): Partial<DnsTuning> {
  for (const [key, value] of Object.entries(tuning)) {
    const field = `tuning.${key}`
    if (!(key in DEFAULT_TUNING)) throw new CnmError('ERR_CNM_UNKNOWN_OPTION', `${field}: there is no such option`, { field })
    const wanted = DEFAULT_TUNING[key as keyof DnsTuning]
    if (typeof value !== typeof wanted) throw invalid(field, `${JSON.stringify(value)} is not a ${typeof wanted}`)
    if (typeof value === 'number' && !(Number.isSafeInteger(value) && value >= (key.endsWith('Seconds') || key === 'queued' ? 0 : 1))) {
      throw invalid(field, `${value} is not a whole number in its range`)
    }
  }
  return tuning
}

/** @throws CnmError ERR_CNM_INVALID_ARGUMENT */
export function checkSandbox(sandbox: DnsSandbox): DnsSandbox {
  for (const fd of [...sandbox.udp, ...sandbox.tcp]) {
    if (!Number.isSafeInteger(fd) || fd < 0) throw invalid('sockets', `${fd} is not a file descriptor`)
  }
  checkView(sandbox.view, sandbox.namespace)
  return sandbox
}

/** @throws CnmError ERR_CNM_INVALID_ARGUMENT */
export function checkView(view: DnsView, namespace: string | undefined): DnsView {
  for (const [name, addresses] of Object.entries(view.hosts ?? {})) {
    checkDnsName(name, 'hosts')
    for (const address of addresses)
      if (isIP(address) === 0) throw invalid(`hosts.${name}`, `${JSON.stringify(address)} is not an IP address`)
  }
  for (const [alias, target] of Object.entries(view.links ?? {})) {
    checkDnsName(alias, 'links')
    checkDnsName(target, `links.${alias}`)
  }
  const { forwarding } = view
  if (forwarding.to !== 'servers') return view
  if (forwarding.from === 'sandbox' && namespace === undefined)
    throw invalid('namespace', 'servers are to be asked from the sandbox, whose namespace is not given')
  forwarding.servers.forEach((server, i) => checkServer(server, `servers[${i}]`, forwarding.from))
  return view
}

/**
 * A server that questions can be forwarded to: an IP address, with an interface if it is link-local, and not the
 * resolver itself, which would ask itself for ever.
 * @param from where it is asked from: 127.0.0.11 of the host is somebody else
 * @throws CnmError ERR_CNM_INVALID_ARGUMENT
 */
export function checkServer(server: DnsServer, field: string, from: 'sandbox' | 'host'): DnsServer {
  const [address = '', scope] = server.address.split('%', 2)
  const family = isIP(address)
  const port = server.port ?? 53
  if (family === 0) throw invalid(field, `${JSON.stringify(server.address)} is not an IP address`)
  if (scope !== undefined && (family !== 6 || scope === ''))
    throw invalid(field, `${JSON.stringify(server.address)} has a scope without need or without name`)
  if (scope === undefined && /^fe[89ab]/i.test(address))
    throw invalid(field, `${server.address} is link-local: say on which interface, ${server.address}%eth0`)
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw invalid(field, `${port} is not a port`)
  if (from === 'sandbox' && port === 53 && (address === RESOLVER_ADDRESS || address === RESOLVER_ADDRESS_6)) {
    throw invalid(field, `${address} is the resolver itself: it would ask itself`)
  }
  return server
}
