import { closeSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { DnsEndpoint, DnsNetwork, DnsResolver, DnsServer, DnsView, ResolvConf, ResolverPorts } from '../../drivers/dns/index.js'
import type { KernelObject } from '../contracts/kernel-objects.js'
import type { PeerRecord } from './cluster/records.js'
import type { Core } from './core.js'
import { namesOf } from './endpoint-names.js'
import type { Endpoint } from './endpoint.js'
import type { Network } from './network.js'
import type { Sandbox } from './sandbox.js'

type Dns = typeof import('../../drivers/dns/index.js')

/** An endpoint on another host. */
interface NamedPeer {
  id: string
  record: PeerRecord
}

/** Ports inside a sandbox on which the resolver listens, by family of the address. */
export interface ResolverRecord {
  ipv4: ResolverPorts
  /** Only where the sandbox has no IPv4. */
  ipv6?: ResolverPorts
}

/** Sockets that are ready, for a sandbox that is about to get its resolver. */
export interface PreparedResolver {
  record: ResolverRecord
  sockets: { udp: number[]; tcp: number[] }
  /** They are the resolver's. */
  served: boolean
}

/**
 * Keeps the embedded resolver up to date: which endpoints have which names, and what each sandbox may see. Loaded with
 * the first sandbox that joins a network with names.
 */
export class NameService {
  readonly #core: Core
  #loaded: Promise<{ dns: Dns; resolver: DnsResolver }> | undefined
  #resolver: DnsResolver | undefined
  #dns: Dns | undefined
  #ports: ResolverPorts | undefined
  /** The host's resolv.conf, as it was when a file of ours was last made from it. */
  #host: ResolvConf = { nameservers: [], search: [], options: [] }

  constructor(core: Core) {
    this.#core = core
  }

  /** Where the resolver of a sandbox that has none yet is to listen: as in the others, so that their rules are the same. */
  async choose(ipv4: boolean): Promise<ResolverRecord> {
    const { dns } = await this.#load()
    const ports = (this.#ports ??= dns.chooseResolverPorts())
    return { ipv4: ports, ...(!ipv4 && { ipv6: ports }) }
  }

  /** Opens the resolver's sockets in a sandbox, on these ports if they are free, else on others. */
  async prepare({ record: { namespace } }: Sandbox, wanted: ResolverRecord): Promise<PreparedResolver> {
    const { dns } = await this.#load()
    const four = await dns.openResolverSockets(this.#core.kernel, namespace, 4, wanted.ipv4)
    const prepared: PreparedResolver = { record: { ipv4: four.ports }, sockets: { udp: [four.udp], tcp: [four.tcp] }, served: false }
    if (wanted.ipv6 === undefined) return prepared
    try {
      const six = await dns.openResolverSockets(this.#core.kernel, namespace, 6, wanted.ipv6)
      prepared.record.ipv6 = six.ports
      prepared.sockets.udp.push(six.udp)
      prepared.sockets.tcp.push(six.tcp)
      return prepared
    } catch (error) {
      closeAll(prepared)
      throw error
    }
  }

  /** What was prepared is not wanted any more. */
  async takeBack(sandbox: Sandbox, prepared: PreparedResolver): Promise<void> {
    if (prepared.served) await this.#resolver!.removeSandbox(sandbox.id)
    else closeAll(prepared)
  }

  /** What must be in the kernel so that programs in the sandbox find the resolver. */
  describe(sandbox: Sandbox): KernelObject[] {
    const { resolver, namespace: at } = sandbox.record
    if (resolver === undefined || this.#dns === undefined) return []
    const address = resolver.ipv6 === undefined ? [] : [this.#dns.resolverAddress6(at)]
    return [...address, ...this.#dns.resolverRedirect({ at, table: `${this.#core.instance}-dns`, ...resolver })]
  }

  /** Serves a sandbox whose redirect is in the kernel; the sockets are the resolver's from now on. */
  serve(sandbox: Sandbox, prepared: PreparedResolver): void {
    const { namespace } = sandbox.record
    this.#resolver!.addSandbox({ id: sandbox.id, ...prepared.sockets, namespace, view: this.#view(sandbox) })
    prepared.served = true
  }

  /**
   * Who the endpoint is has changed (it joined, it has other names), or it is gone from its sandbox.
   * @param shown the sandbox is shown what it may see already: it is served since just now
   */
  changed(endpoint: Endpoint, sandbox: Sandbox, { shown = false } = {}): void {
    const resolver = this.#resolver
    if (resolver === undefined || !endpoint.network.hasNames) return
    const joined = endpoint.record.sandbox !== undefined
    resolver.changeNetwork({ id: endpoint.network.id, ...(joined ? { put: [dnsEndpoint(endpoint, sandbox)] } : { remove: [endpoint.id] }) })
    if (!shown) this.#show(sandbox)
  }

  /** Endpoints on other hosts have come, changed or gone. */
  changePeers(network: Network, put: readonly NamedPeer[], remove: readonly string[]): void {
    if (network.hasNames) this.#resolver?.changeNetwork({ id: network.id, put: put.map(dnsPeer), remove: [...remove] })
  }

  addNetwork(network: Network): void {
    if (network.hasNames && !network.configOnly) this.#resolver?.putNetwork(dnsNetwork(network))
  }
  removeNetwork(network: Network): void {
    if (network.hasNames && !network.configOnly) this.#resolver?.removeNetwork(network.id)
  }
  /** Nothing of the resolver is in the sandbox any more. */
  async removeSandbox(sandbox: Sandbox): Promise<void> {
    if (sandbox.record.resolver !== undefined) await this.#resolver?.removeSandbox(sandbox.id)
  }

  /** After a restart: sockets again for every sandbox that had them. Sandboxes whose ports changed are returned. */
  async load(): Promise<void> {
    await this.#load()
  }

  /** Addresses of the host's name servers. */
  async hostServers(): Promise<string[]> {
    const { dns } = await this.#load()
    return (await readHost(dns)).nameservers
  }

  /** Text of a sandbox's resolv.conf, out of the host's as it is now. */
  async resolvConf(sandbox: Sandbox): Promise<string> {
    const { dns } = await this.#load()
    this.#host = await readHost(dns)
    this.#show(sandbox)
    return dns.renderResolvConf(this.#settings(dns, sandbox)).text
  }

  async close(): Promise<void> {
    await this.#resolver?.close()
  }

  #load(): Promise<{ dns: Dns; resolver: DnsResolver }> {
    this.#loaded ??= (async () => {
      const dns = await import('../../drivers/dns/index.js')
      const resolver = new dns.DnsResolver({
        onFault: (error) => this.#core.events.emit('warning', { message: `resolver: ${error.message}` }),
      })
      this.#host = await readHost(dns)
      this.#dns = dns
      this.#resolver = resolver
      for (const network of this.#core.networks) this.addNetwork(network)
      return { dns, resolver }
    })()
    return this.#loaded
  }

  /** Tells the resolver what a sandbox may see. One that is being deleted asks nothing any more. */
  #show(sandbox: Sandbox): void {
    const { resolver: served, phase } = sandbox.record
    if (served !== undefined && phase === 'ready') this.#resolver?.changeSandbox(sandbox.id, this.#view(sandbox))
  }

  #settings(dns: Dns, { record }: Sandbox): Parameters<Dns['renderResolvConf']>[0] {
    const host = this.#host
    const resolver: string[] = record.resolver === undefined ? [] : [dns.RESOLVER_ADDRESS]
    if (record.resolver?.ipv6 !== undefined) resolver.push(dns.RESOLVER_ADDRESS_6)
    // Without a resolver of ours (the host's own stack) the file names the servers themselves.
    const servers = resolver.length > 0 ? resolver : record.dns.servers.length > 0 ? record.dns.servers : host.nameservers
    return { resolver: servers, own: record.dns, host }
  }

  #view(sandbox: Sandbox): DnsView {
    const dns = this.#dns!
    const { record } = sandbox
    const joined = sandbox.endpoints.filter(({ network }) => network.hasNames)
    const { ndotsSet } = dns.renderResolvConf(this.#settings(dns, sandbox))
    return {
      networks: [...new Set(joined.map(({ network }) => network.id))],
      hosts: Object.fromEntries(Object.entries(record.extraHosts).map(([name, address]) => [name, [address]])),
      forwarding: dns.chooseForwarding({
        own: record.dns.servers.map(dnsServer),
        networks: joined.map(({ network }) => network.record.dns.map(dnsServer)),
        internal: joined.every(({ network }) => network.internal),
      }),
      singleLabels: ndotsSet ? 'local' : 'forward',
    }
  }
}

const closeAll = ({ sockets }: PreparedResolver): void => [...sockets.udp, ...sockets.tcp].forEach((fd) => closeSync(fd))

const readHost = async (dns: Dns): Promise<ResolvConf> => dns.parseResolvConf(await readFile('/etc/resolv.conf', 'utf8').catch(() => ''))

const dnsServer = (address: string): DnsServer => ({ address })

function dnsNetwork(network: Network): DnsNetwork {
  const endpoints = network.endpoints.flatMap((endpoint) => {
    const { sandbox } = endpoint
    return sandbox === undefined ? [] : [dnsEndpoint(endpoint, sandbox)]
  })
  const peers = network.core.cluster?.peers(network)?.records ?? []
  return { id: network.id, name: network.name, ttl: network.record.dnsTtl, endpoints: [...endpoints, ...peers.map(dnsPeer)] }
}

const dnsPeer = ({ id, record }: NamedPeer): DnsEndpoint => ({
  id,
  names: record.names,
  addresses: record.addresses.map(({ address }) => address),
  ports: record.services,
})

function dnsEndpoint({ record }: Endpoint, sandbox: Sandbox): DnsEndpoint {
  return {
    id: record.id,
    names: namesOf(record, sandbox),
    addresses: record.addresses.map(({ address }) => address),
    ports: record.services,
  }
}
