import type { Description } from '../contracts/description.js'
import { CnmError } from '../contracts/errors.js'
import type { EndpointRecord, NetworkRecord, PartRecord } from '../contracts/records.js'
import type { Core } from './core.js'
import { replaceJoined } from './endpoint-change.js'
import { describeEndpoint } from './endpoint-description.js'
import { serialised } from './endpoint-serial.js'
import type { Endpoint } from './endpoint.js'
import type { Network } from './network.js'
import { resolvePlaces } from './places.js'
import { replaceDescriptions, sameDescription, type Replacement } from './replace-descriptions.js'

/** Asks the driver again for the whole network, its parts included, and applies what differs. Returns whether anything did. */
export async function redescribeNetwork(core: Core, id: string): Promise<boolean> {
  return core.serial.run([`network/${id}`], async () => {
    const network = living(core, id)
    if (network === undefined) return false
    const { record } = network
    network.forgetFacts()
    const next: NetworkRecord = { ...record, description: await describeNetwork(network) }
    const parts = await partReplacements(network, new Set([...network.parts.keys(), ...partNames(network)]))
    const whole = sameDescription(record.description, next.description) ? [] : [{ before: record, after: next }]
    if (whole.length + parts.length === 0) return false
    await replaceDescriptions(core, [...whole, ...parts])
    if (whole.length > 0) network.record = next
    takeParts(network, parts)
    return true
  })
}

/** The same for some of its parts: costs what they cost. */
export async function redescribeParts(core: Core, id: string, names: ReadonlySet<string>): Promise<boolean> {
  return core.serial.run([`network/${id}`], async () => {
    const network = living(core, id)
    if (network === undefined) return false
    const parts = await partReplacements(network, names)
    if (parts.length === 0) return false
    await replaceDescriptions(core, parts)
    takeParts(network, parts)
    return true
  })
}

/** The same for a joined endpoint. One that is in no sandbox has nothing in the kernel. */
export async function redescribeEndpoint(endpoint: Endpoint): Promise<boolean> {
  const { core } = endpoint
  return serialised(endpoint, async () => {
    const { record, sandbox } = endpoint
    if (core.endpoints.get(record.id) !== endpoint || sandbox === undefined || record.phase !== 'ready' || sandbox.record.lost) return false
    const next: EndpointRecord = { ...record, ...(await describeEndpoint(endpoint, record, sandbox)) }
    if (sameDescription(record.description, next.description) && sameDescription(record.gateways, next.gateways)) return false
    await replaceJoined(endpoint, next)
    return true
  })
}

/** What the driver describes for a network, in real namespaces. */
export async function describeNetwork(network: Network): Promise<Description> {
  if (!network.present) return []
  return inPlace(network, network.guardedDriver.network(network.view(), await network.facts()))
}

/** One replacement for each part that is not as it was. */
export async function partReplacements(network: Network, names: Iterable<string>): Promise<Replacement<PartRecord>[]> {
  // As long as it is not known who is there, those who were known stay.
  if (network.scope === 'global' && network.present && !network.core.cluster?.isKnown(network)) return []
  const facts = await network.facts()
  const view = network.view()
  const replacements: Replacement<PartRecord>[] = []
  for (const name of names) {
    checkPartName(network, name)
    const before = network.parts.get(name)
    const description = network.present ? inPlace(network, network.guardedDriver.part(view, name, facts)) : []
    if (sameDescription(before?.description ?? [], description)) continue
    const after: PartRecord = { kind: 'part', version: 1, network: network.id, name, description }
    replacements.push({ ...(before && { before }), ...(description.length > 0 && { after }) })
  }
  return replacements
}

export function takeParts(network: Network, replacements: readonly Replacement<PartRecord>[]): void {
  for (const { before, after } of replacements) {
    if (after === undefined) network.parts.delete(before!.name)
    else network.parts.set(after.name, after)
  }
  network.core.cluster?.encryption.applied()
}

/** Peers are parts by themselves: those that the driver describes. */
const partNames = (network: Network): Iterable<string> => (network.present ? network.guardedDriver.parts(network.view()) : [])

const inPlace = (network: Network, description: Description): Description =>
  resolvePlaces(description, { instance: network.core.instance, driver: network.driver, networkId: network.id })

function living(core: Core, id: string): Network | undefined {
  const network = core.networks.find(id)
  return network?.record.phase === 'ready' && !network.configOnly ? network : undefined
}

const PART_NAME = /^[A-Za-z0-9._:-]{1,128}$/

function checkPartName(network: Network, name: string): void {
  if (PART_NAME.test(name)) return
  throw new CnmError('ERR_CNM_DRIVER_FAILED', `driver ${network.driver}: part ${JSON.stringify(name)} is no name for a part`, {
    object: `network ${network.name}`,
  })
}
