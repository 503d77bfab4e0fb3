import { CnmError } from '../contracts/errors.js'
import type { EndpointRecord, NetworkRecord } from '../contracts/records.js'
import { canonical } from '../engine/canonical.js'
import { abortable, ownerOf, type Changes } from './core.js'
import { describeEndpoint } from './endpoint-description.js'
import { serialKeys } from './endpoint-serial.js'
import type { Endpoint } from './endpoint.js'
import type { Network } from './network.js'
import { mergedTexts } from './merged-texts.js'
import type { NetworkChanges } from './options.js'
import { describeNetwork, partReplacements, redescribeEndpoint, takeParts } from './redescribe.js'
import { replaceDescriptions, sameDescription } from './replace-descriptions.js'
import { readRoutes } from './static-routes.js'
import { validNetworkChanges } from './validation.js'
import { driverOptions, networkView } from './views.js'

/** What a network is: its record, and its driver's options as the driver reads them. */
interface State {
  record: NetworkRecord
  options: unknown
}

/** Changes a network while endpoints use it: driver asked, record, kernel; whole or not at all. */
export async function updateNetwork(network: Network, input: NetworkChanges): Promise<void> {
  const { core } = network
  core.alive()
  const changes = validNetworkChanges(input)
  const locked = new Set([`network/${network.id}`, ...network.endpoints.flatMap(serialKeys)])
  const held = new Set<Endpoint>()
  try {
    await core.serial.run([...locked], async () => {
      network.refuseGone()
      for (const endpoint of network.endpoints) if (serialKeys(endpoint).every((key) => locked.has(key))) held.add(endpoint)
      await replace(network, await prepare(network, changes), [...held])
    })
  } finally {
    // Those that came, or went to another sandbox, while the network waited for its turn: either state may have described them.
    for (const endpoint of network.endpoints) if (!held.has(endpoint)) await redescribeEndpoint(endpoint)
  }
  if (changes.dnsTtl !== undefined) core.names.addNetwork(network)
  if (changes.dns !== undefined)
    for (const endpoint of network.endpoints) if (endpoint.sandbox !== undefined) core.names.changed(endpoint, endpoint.sandbox)
  core.events.emit('network:change', { network })
}

/** The network as it is to be, if everybody agrees. */
async function prepare(network: Network, changes: NetworkChanges): Promise<State> {
  const { guardedDriver: driver, record: before } = network
  const record: NetworkRecord = { ...before }
  if (changes.labels !== undefined) record.labels = mergedTexts(before.labels, changes.labels)
  if (changes.dns !== undefined) record.dns = [...changes.dns]
  if (changes.dnsTtl !== undefined) record.dnsTtl = changes.dnsTtl
  if (changes.routes !== undefined) {
    if (record.configOnly) throw refusal(network, 'routes', 'a config-only network cannot have routes')
    record.routes = readRoutes(changes.routes, record, driver)
  }
  if (changes.options === undefined) return { record, options: network.driverOptions }
  if (record.configOnly) throw refusal(network, 'options', 'networks may have been made from it: make another config-only network')
  record.options = mergedTexts(before.options, changes.options)
  const options = driver.networkOptions(driverOptions(record.options))
  if (canonical(options) !== canonical(network.driverOptions)) {
    record.state = await driver.beforeUpdate(networkView(record, options), network.view(), await network.facts(), changes.signal)
    refusePublished(network, { record, options })
  }
  abortable(changes.signal, `network ${network.name}`)
  return { record, options }
}

/** A port is held on the host as its network publishes it: that cannot change under it. */
function refusePublished(network: Network, next: State): void {
  const view = networkView(next.record, next.options)
  for (const endpoint of network.endpoints) {
    if (endpoint.record.ports.length === 0) continue
    const [before, after] = [network.view(), view].map((each) => network.guardedDriver.publishing(endpoint.view(), each))
    if (canonical(before) === canonical(after)) continue
    throw new CnmError(
      'ERR_CNM_NETWORK_IN_USE',
      `network ${network.name}: ports would be published in another way, and endpoint ${endpoint.name} has some: withdraw them first`,
      { object: `network ${network.name}`, field: 'options' },
    )
  }
}

/** Puts the new state in place of the old one, for the network and these endpoints. */
async function replace(network: Network, next: State, endpoints: readonly Endpoint[]): Promise<void> {
  const { core, record, driverOptions: options } = network
  const members = endpoints.map((endpoint) => ({ endpoint, before: endpoint.record }))
  install(network, next)
  try {
    if (!record.configOnly) network.record = { ...next.record, description: await describeNetwork(network) }
    const parts = await partReplacements(network, new Set([...network.parts.keys(), ...network.guardedDriver.parts(network.view())]))
    for (const { endpoint, before } of members)
      if (endpoint.sandbox !== undefined) endpoint.record = { ...before, ...(await describeEndpoint(endpoint, before, endpoint.sandbox)) }
    const moved = members.filter(({ endpoint, before }) => !sameEndpoint(endpoint.record, before))
    const replacements = moved.map(({ endpoint, before }) => ({ before, after: endpoint.record }))
    const sandboxes = new Set(moved.map(({ endpoint }) => endpoint.sandbox!))
    const routes: Changes = new Map([...sandboxes].map((sandbox) => [ownerOf(sandbox.record), sandbox.describe()]))
    await replaceDescriptions(core, [{ before: record, after: network.record }, ...parts, ...replacements], routes)
    takeParts(network, parts)
  } catch (error) {
    install(network, { record, options })
    for (const { endpoint, before } of members) endpoint.record = before
    throw error
  }
}

const sameEndpoint = (a: EndpointRecord, b: EndpointRecord): boolean =>
  sameDescription(a.description, b.description) && sameDescription(a.gateways, b.gateways)

function install(network: Network, { record, options }: State): void {
  network.record = record
  network.driverOptions = options
}

const refusal = (network: Network, field: string, why: string): CnmError =>
  new CnmError('ERR_CNM_INVALID_ARGUMENT', `network ${network.name}: ${why}`, { object: `network ${network.name}`, field })
