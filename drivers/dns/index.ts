/** The embedded DNS resolver: names of networks, extra hosts, forwarding; and the files that sandboxes read. */
export { checkServer } from './checks.js'
export {
  DEFAULT_TUNING,
  RESOLVER_ADDRESS,
  RESOLVER_ADDRESS_6,
  type DnsEndpoint,
  type DnsForwarding,
  type DnsNetwork,
  type DnsNetworkChange,
  type DnsSandbox,
  type DnsServer,
  type DnsTuning,
  type DnsView,
  type NamedPort,
} from './contract.js'
export { parseResolvConf, renderResolvConf, type ResolvConf, type SandboxResolvConf } from './files/resolv-conf.js'
export type { DnsStatistics } from './messages.js'
export { checkDnsName, checkServiceName } from './names.js'
export { DnsResolver, type DnsResolverOptions } from './resolver.js'
