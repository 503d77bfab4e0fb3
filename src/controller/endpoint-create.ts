import { CnmError } from '../contracts/errors.js'
import type { EndpointRecord } from '../contracts/records.js'
import { prepareAddresses } from './addresses.js'
import { clusterOf } from './cluster/network-create.js'
import { abortable, putRecord } from './core.js'
import { readEndpointOptions } from './endpoint-options.js'
import { Endpoint } from './endpoint.js'
import { checkDnsName, checkName, macOfAddress, newId, newMac } from './identifiers.js'
import type { Network } from './network.js'
import type { EndpointOptions } from './options.js'
import { refusePorts } from './published-ports.js'
import { readRoutes } from './static-routes.js'
import { undoableOrLater, type Undo } from './undo.js'
import { validEndpoint } from './validation.js'
import { driverOptions } from './views.js'

/**
 * Makes an endpoint: its addresses and its record. Nothing is in the kernel before it joins.
 * @param phase `creating` when it is only made to join at once: a crash before the end of that takes it away again
 */
export async function createEndpoint(network: Network, input: EndpointOptions, phase: 'creating' | 'ready' = 'ready'): Promise<Endpoint> {
  const { core } = network
  await core.turns.take()
  core.alive()
  const options = validEndpoint(input)
  checkName(options.name, 'endpoint')
  for (const alias of options.aliases ?? []) checkDnsName(alias, 'aliases')
  refusePorts(options.name, options.ports ?? [], network.guardedDriver)
  const read = readEndpointOptions(options)
  const { guardedDriver } = network
  const parsed = guardedDriver.endpointOptions(driverOptions(options.options ?? {}))
  const routes = readRoutes(options.routes, network.record, guardedDriver)
  abortable(options.signal, `endpoint ${options.name}`)
  const id = newId()
  const make = async (undo: Undo): Promise<Endpoint> => {
    reserveName(network, options.name)
    undo.push(() => network.endpointsByName.delete(options.name))
    const record: EndpointRecord = {
      kind: 'endpoint',
      version: 1,
      id,
      name: options.name,
      created: new Date().toISOString(),
      phase,
      network: network.id,
      aliases: [...(options.aliases ?? [])],
      labels: { ...options.labels },
      options: { ...options.options },
      addresses: [],
      linkLocal: read.linkLocal,
      mac: await chooseMac(network, read.mac),
      wantedInterfaceName: read.interfaceName,
      gatewayPriority: options.gatewayPriority ?? 0,
      sysctls: read.sysctls,
      ...(routes.length > 0 && { routes }),
      wantedPorts: [...(options.ports ?? [])],
      ports: [],
      services: options.services?.map(({ name, port, protocol }) => ({ name, port, protocol: protocol ?? 'tcp' })),
      description: [],
      gateways: [],
    }
    if (network.scope === 'global') await claim(network, record, undo)
    const followsAddress = guardedDriver.capabilities.macFromAddress && read.mac === undefined
    const macOf = followsAddress ? macOfAddress : undefined
    const wanted = { name: record.name, mac: record.mac, macOf, addresses: options.addresses ?? [] }
    const prepared = await prepareAddresses(network, record.id, wanted, undo)
    record.mac = prepared.mac
    record.addresses = prepared.addresses
    record.leases = prepared.leases
    // Of a network of the cluster this host keeps a copy as long as it has endpoints on it.
    const copies = network.scope === 'global' ? [putRecord(network.record)] : []
    await core.store.commit([putRecord(record), ...copies, ...prepared.changes])
    prepared.committed()
    const endpoint = new Endpoint(core, record, network, parsed)
    network.endpointsByName.set(record.name, endpoint)
    core.endpoints.set(record.id, endpoint)
    core.cluster?.making.delete(record.id)
    core.events.emit('endpoint:create', { endpoint, network })
    return endpoint
  }
  // Nobody else knows the key yet: whoever looks for what has no owner waits for those that are being made.
  return core.serial.run([`endpoint/${id}`], () =>
    undoableOrLater({ cleanups: core.cleanups, what: `endpoint ${options.name}`, keys: [] }, make),
  )
}

/** In a cluster the name is taken first: whatever the endpoint gets after that can be found by this host. */
async function claim(network: Network, record: EndpointRecord, undo: Undo): Promise<void> {
  const cluster = clusterOf(network.core, `driver ${network.driver}`)
  cluster.making.add(record.id)
  undo.push(() => cluster.making.delete(record.id))
  undo.push(() => cluster.endpoints.withdraw(network, record))
  await cluster.endpoints.claim(network, record)
}

/** @throws CnmError ERR_CNM_INVALID_ARGUMENT for a MAC where endpoints have none of their own */
async function chooseMac(network: Network, wanted: string | undefined): Promise<string> {
  const given = await network.interfaceMac()
  if (given === undefined) return wanted ?? newMac()
  if (wanted === undefined || wanted === given) return given
  throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `network ${network.name}: all of its interfaces have the MAC ${given}`, { field: 'mac' })
}

/** Takes a name on a network for an endpoint. @throws CnmError ERR_CNM_ENDPOINT_EXISTS, ERR_CNM_NETWORK_NOT_FOUND */
export function reserveName(network: Network, name: string): void {
  if (network.configOnly)
    throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `network ${network.name} is config-only: it has no endpoints`, {
      object: `network ${network.name}`,
    })
  network.refuseGone()
  if (network.endpointsByName.has(name)) {
    throw new CnmError('ERR_CNM_ENDPOINT_EXISTS', `network ${network.name} has an endpoint ${name} already`, {
      object: `endpoint ${name}`,
      field: 'name',
    })
  }
  network.endpointsByName.set(name, undefined)
}
