/**
 * The embedded DNS resolver: names of networks, extra hosts, forwarding; what a sandbox needs so that its programs find
 * it; and the files that they read.
 */
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
export { basicHosts, updateHosts, type HostsEntry } from './files/hosts.js'
export { parseResolvConf, renderResolvConf, type ResolvConf, type SandboxResolvConf } from './files/resolv-conf.js'
export { replaceFile, updateMountedFile } from './files/write-file.js'
export { chooseForwarding, type ForwardingChoice } from './forwarding.js'
export type { DnsStatistics } from './messages.js'
export { checkDnsName, checkServiceName } from './names.js'
export { resolverAddress6, resolverRedirect, type RedirectOptions, type ResolverPorts } from './redirect.js'
export { DnsResolver, type DnsResolverOptions } from './resolver.js'
export { chooseResolverPorts, openResolverSockets, type ResolverSockets, type SocketMaker } from './sockets.js'
