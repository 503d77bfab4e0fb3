import { CnmError } from '../contracts/errors.js'
import { clusterOf } from './cluster/network-create.js'
import { deleteGlobal } from './cluster/network-delete.js'
import { ipamDriver, ownerOf, save, type Changes } from './core.js'
import type { Network } from './network.js'
import { givePoolsBack } from './pools.js'

/** Record, kernel, driver, addresses, record. */
export async function deleteNetwork(network: Network): Promise<void> {
  const { core } = network
  core.alive()
  await core.serial.run([`network/${network.id}`], async () => {
    if (core.networks.find(network.id) !== network) return
    refuseInUse(network)
    if (network.scope === 'global') {
      await deleteGlobal(clusterOf(core, `driver ${network.driver}`), network)
      forgetNetwork(network)
      return
    }
    const { record } = network
    // At once: nothing is made on it from here on.
    network.record = { ...record, phase: 'deleting' }
    try {
      await save(core, [network.record])
    } catch (error) {
      network.record = record
      throw error
    }
    await tryToRemove(network)
  })
  core.events.emit('network:delete', { network })
}

/** What fails is tried again; until then the network is there, in phase `deleting`, with its name and its subnets. */
export async function tryToRemove(network: Network): Promise<void> {
  const about = `network/${network.id}`
  const work = (): Promise<void> => removeNetwork(network)
  await network.core.cleanups.run({ about, what: `network ${network.name}`, keys: [about], work })
}

/** Everything after the word that it is to go. Can be done again from the beginning when it failed. */
async function removeNetwork(network: Network): Promise<void> {
  const { core, record, guardedDriver } = network
  const parts = [...network.parts.values()]
  const changes: Changes = new Map([record, ...parts].map((described) => [ownerOf(described), undefined]))
  await core.engine.apply(changes)
  await guardedDriver.afterDelete(network.view())
  if (guardedDriver.capabilities.addresses && !record.configOnly)
    await givePoolsBack(ipamDriver(core, record.ipamDriver, network.scope), record.id, record.pools)
  await save(core, [], [record, ...parts])
  forgetNetwork(network)
}

function forgetNetwork(network: Network): void {
  const { core } = network
  core.networks.remove(network)
  core.names.removeNetwork(network)
  core.hostLinks.forget(network)
}

function refuseInUse({ core, record, endpointsByName }: Network): void {
  if (endpointsByName.size > 0) {
    const names = [...endpointsByName.keys()].join(', ')
    throw new CnmError('ERR_CNM_NETWORK_IN_USE', `network ${record.name} has endpoints: ${names}`, { object: `network ${record.name}` })
  }
  if (!record.configOnly) return
  const users = core.networks.list().filter((network) => network.record.configFrom === record.name)
  if (users.length === 0) return
  const names = users.map(({ name }) => name).join(', ')
  throw new CnmError('ERR_CNM_NETWORK_IN_USE', `configuration network ${record.name} is in use by ${names}`, {
    object: `network ${record.name}`,
  })
}
