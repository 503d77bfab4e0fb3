import { CnmError } from '../contracts/errors.js'
import type { NetworkRecord } from '../contracts/records.js'
import type { JsonValue } from '../contracts/store.js'
import { createGlobal } from './cluster/network-create.js'
import { abortable, ipamDriver, ownerOf, save, type Core } from './core.js'
import { prefixesInUse } from './host-facts.js'
import { checkName, newId } from './identifiers.js'
import { Network } from './network.js'
import type { NetworkOptions } from './options.js'
import { asksForIPv6, takePools } from './pools.js'
import { describeNetwork, partReplacements } from './redescribe.js'
import { readRoutes } from './static-routes.js'
import { undoableOrLater, type Undo } from './undo.js'
import { validNetwork } from './validation.js'
import { driverOptions } from './views.js'

/**
 * Makes a network: addresses, record, kernel, in this order; whole or not at all.
 * @param own what only the core itself may say of it
 */
export async function createNetwork(core: Core, input: NetworkOptions, own: Pick<NetworkRecord, 'gateway'> = {}): Promise<Network> {
  core.alive()
  const options = withTemplate(core, withDefaults(core, validNetwork(input)))
  checkName(options.name, 'network')
  abortable(options.signal, `network ${options.name}`)
  return undoableOrLater({ cleanups: core.cleanups, what: `network ${options.name}`, keys: [] }, async (undo) => {
    core.networks.reserve(options.name)
    undo.push(() => core.networks.release(options.name))
    const network = options.configOnly ? await createTemplate(core, options) : await createReal(core, options, undo, own)
    if (options.configOnly) core.networks.add(network)
    core.names.addNetwork(network)
    core.events.emit('network:create', { network })
    return network
  })
}

async function createReal(core: Core, asked: NetworkOptions, undo: Undo, own: Pick<NetworkRecord, 'gateway'>): Promise<Network> {
  const driver = await core.drivers.get(asked.driver ?? 'bridge')
  const parsed = driver.networkOptions(driverOptions(asked.options ?? {}))
  const options = driver.isInternal(parsed) ? { ...asked, internal: true } : asked
  if (driver.capabilities.singleton && core.networks.list().some((network) => network.driver === driver.name)) {
    throw new CnmError('ERR_CNM_NETWORK_EXISTS', `network ${options.name}: only one network of driver ${driver.name} can exist`, {
      field: 'driver',
    })
  }
  const record = { ...newRecord(options, driver.name), ...own }
  const routes = readRoutes(options.routes, record, driver)
  if (routes.length > 0) record.routes = routes
  const network = new Network(core, record, driver, parsed)
  undo.push(() => core.hostLinks.forget(network))
  await core.serial.run([`network/${record.id}`], async () => {
    if (driver.capabilities.scope === 'global') return createGlobal(network, options, undo)
    if (driver.capabilities.addresses) {
      const ipam = ipamDriver(core, record.ipamDriver, 'local')
      const exclude = await prefixesInUse(core)
      record.pools = await takePools({ ...record, networkId: record.id, driver, parsed, ipam, options, exclude }, undo)
    } else if (options.ipam?.pools?.length) {
      throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `network ${record.name}: driver ${driver.name} has no addresses`, {
        field: 'ipam.pools',
      })
    }
    record.state = await driver.beforeCreate(network.view(), await network.facts(), options.signal)
    undo.push(() => driver.afterDelete(network.view()))
    abortable(options.signal, `network ${record.name}`)
    record.description = await describeNetwork(network)
    const parts = (await partReplacements(network, driver.parts(network.view()))).map(({ after }) => after!)
    await save(core, [record, ...parts])
    undo.push(() => save(core, [], [record, ...parts]))
    const owners = [record, ...parts]
    await core.engine.apply(new Map(owners.map((owner) => [ownerOf(owner), owner.description])))
    undo.push(() => core.engine.apply(new Map(owners.map((owner) => [ownerOf(owner), undefined]))))
    network.forgetFacts()
    network.record = { ...record, phase: 'ready' }
    await save(core, [network.record])
    for (const part of parts) network.parts.set(part.name, part)
    // From here on the driver can say that something about it has changed.
    core.networks.add(network)
  })
  return network
}

async function createTemplate(core: Core, options: NetworkOptions): Promise<Network> {
  for (const field of ['internal', 'attachable', 'configFrom', 'routes'] as const) {
    if (options[field] === undefined) continue
    throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `network ${options.name}: a config-only network cannot have ${field}`, { field })
  }
  const driver = await core.drivers.get('null')
  const record: NetworkRecord = { ...newRecord(options, 'null'), phase: 'ready', configOnly: true }
  record.template = { driver: options.driver ?? 'bridge', ipam: (options.ipam ?? {}) as JsonValue }
  await save(core, [record])
  return new Network(core, record, driver, undefined)
}

function newRecord(options: NetworkOptions, driver: string): NetworkRecord {
  return {
    kind: 'network',
    version: 1,
    id: newId(),
    name: options.name,
    created: new Date().toISOString(),
    phase: 'creating',
    driver,
    internal: options.internal ?? false,
    attachable: options.attachable ?? true,
    ipv4: options.enableIPv4 ?? true,
    ipv6: options.enableIPv6 ?? asksForIPv6(options.ipam?.pools ?? []),
    configOnly: false,
    configFrom: options.configFrom,
    labels: { ...options.labels },
    options: { ...options.options },
    ipamDriver: options.ipam?.driver ?? 'default',
    ipamOptions: { ...options.ipam?.options },
    pools: [],
    dns: [...(options.dns ?? [])],
    dnsTtl: options.dnsTtl,
    description: [],
  }
}

/** Options that the controller was opened with apply where the caller gave none. */
function withDefaults(core: Core, options: NetworkOptions): NetworkOptions {
  if (options.configOnly || options.configFrom !== undefined) return options
  const defaults = core.defaultNetworkOptions[options.driver ?? 'bridge']
  return defaults === undefined ? options : { ...options, options: { ...defaults, ...options.options } }
}

/** A config-only network gives addresses and driver options, and nothing beside it may. */
function withTemplate(core: Core, options: NetworkOptions): NetworkOptions {
  if (options.configFrom === undefined || options.configOnly) return options
  for (const field of ['ipam', 'options'] as const) {
    if (options[field] === undefined) continue
    throw new CnmError(
      'ERR_CNM_INVALID_ARGUMENT',
      `network ${options.name}: ${field} come from config-from network ${options.configFrom}`,
      { field },
    )
  }
  const { record } = core.networks.get(options.configFrom)
  if (!record.configOnly) {
    throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `network ${options.name}: ${record.name} is not a config-only network`, {
      field: 'configFrom',
    })
  }
  const template = record.template as unknown as { driver: string; ipam: NetworkOptions['ipam'] }
  return { ...options, configFrom: record.name, driver: options.driver ?? template.driver, ipam: template.ipam, options: record.options }
}
