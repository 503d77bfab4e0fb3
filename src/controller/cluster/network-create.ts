import { randomInt } from 'node:crypto'
import { CnmError } from '../../contracts/errors.js'
import type { NumbersRequest } from '../../contracts/network-driver.js'
import type { NetworkRecord } from '../../contracts/records.js'
import type { StoreChange } from '../../contracts/store.js'
import { abortable, ipamDriver, type Core } from '../core.js'
import { prefixesInUse } from '../host-facts.js'
import type { Network } from '../network.js'
import type { NetworkOptions } from '../options.js'
import { takePools } from '../pools.js'
import type { Undo } from '../undo.js'
import type { Cluster } from './cluster.js'
import { isConflict } from './follow.js'
import { noteCreation, settleCreation } from './interrupted.js'
import { networkKey, networkNameKey, numberKey } from './records.js'

/** How often numbers are chosen anew when others take the same ones at the same time. */
const ATTEMPTS = 50

/** Makes a network of scope `global`: addresses, numbers, record. Nothing of it is in the kernel before something joins it. */
export async function createGlobal(network: Network, options: NetworkOptions, undo: Undo): Promise<void> {
  const { core, guardedDriver: driver, driverOptions: parsed, record } = network
  const cluster = clusterOf(core, `driver ${driver.name}`)
  cluster.making.add(record.id)
  undo.push(() => cluster.making.delete(record.id))
  await noteCreation(core, record.id)
  undo.push(() => settleCreation(cluster, core, record.id))
  if (driver.capabilities.addresses) {
    const ipam = ipamDriver(core, record.ipamDriver, 'global')
    const exclude = await prefixesInUse(core)
    record.pools = await takePools({ ...record, networkId: record.id, driver, parsed, ipam, options, exclude }, undo)
  } else if (options.ipam?.pools?.length) {
    throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `network ${record.name}: driver ${driver.name} has no addresses`, {
      field: 'ipam.pools',
    })
  }
  record.state = await driver.beforeCreate(network.view(), await network.facts(), options.signal)
  undo.push(() => driver.afterDelete(network.view()))
  network.forgetFacts()
  abortable(options.signal, `network ${record.name}`)
  network.record = await define(cluster, network)
  await settleCreation(cluster, core, record.id)
  core.networks.add(network)
  cluster.making.delete(record.id)
}

/** @throws CnmError ERR_CNM_NOT_SUPPORTED */
export function clusterOf(core: Core, what: string): Cluster {
  if (core.cluster !== undefined) return core.cluster
  throw new CnmError('ERR_CNM_NOT_SUPPORTED', `${what} needs a cluster: Controller.open({ cluster: etcd({ … }), node: { … } })`, {
    field: 'cluster',
  })
}

/** Writes the definition, and takes the numbers in the same commit. */
async function define(cluster: Cluster, network: Network): Promise<NetworkRecord> {
  const requests = network.guardedDriver.numbers(network.view())
  for (let attempt = 1; ; attempt++) {
    const numbers = Object.fromEntries(Object.entries(requests).map(([name, request]) => [name, choose(request)]))
    const record: NetworkRecord = { ...network.record, phase: 'ready', ...(Object.keys(numbers).length > 0 && { numbers }) }
    const taken = Object.entries(requests).flatMap(([name, { kind }]) =>
      numbers[name]!.map((number): StoreChange => ({ put: numberKey(kind, number), value: record.id, expect: 'absent' })),
    )
    const changes: StoreChange[] = [
      { put: networkKey(record.id), value: { version: 1, record: record as never }, expect: 'absent' },
      { put: networkNameKey(record.name), value: record.id, expect: 'absent' },
      ...taken,
    ]
    try {
      await cluster.store.commit(changes)
      return record
    } catch (error) {
      if (!isConflict(error)) throw error
      refuse(record, requests, error)
      if (attempt === ATTEMPTS) throw error
    }
  }
}

function choose({ count, from, to, wanted }: NumbersRequest): number[] {
  if (wanted !== undefined) return [...wanted]
  const chosen = new Set<number>()
  while (chosen.size < Math.min(count, to - from + 1)) chosen.add(randomInt(from, to + 1))
  return [...chosen]
}

/** @throws CnmError where another try would end no better */
function refuse(record: NetworkRecord, requests: Readonly<Record<string, NumbersRequest>>, conflict: CnmError): void {
  if (conflict.object === networkNameKey(record.name))
    throw new CnmError('ERR_CNM_NETWORK_EXISTS', `network ${record.name} exists already in the cluster`, {
      object: `network ${record.name}`,
      field: 'name',
      cause: conflict,
    })
  for (const [name, { kind, wanted }] of Object.entries(requests)) {
    const number = wanted?.find((each) => numberKey(kind, each) === conflict.object)
    if (number === undefined) continue
    throw new CnmError('ERR_CNM_NUMBER_IN_USE', `network ${record.name}: ${name} ${number} belongs to another network of the cluster`, {
      object: `network ${record.name}`,
      field: 'options',
      cause: conflict,
    })
  }
}
