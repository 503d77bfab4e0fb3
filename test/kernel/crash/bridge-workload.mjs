// @ts-check
/**
 * Bridge networks: made, connected to, published on, disconnected from, deleted, by several at once.
 *
 * @import { Controller, Endpoint } from 'libcnm'
 * @import { Operation, Thing, Workload } from './workload.mjs'
 */
const NETWORKS = 4
const SANDBOXES = 10

/** @type {<T>(list: readonly T[], random: () => number) => T | undefined} */
const pick = (list, random) => list[Math.floor(random() * list.length)]

/** @param {Controller} controller @param {string} name @returns {Endpoint | undefined} */
export function endpointOf(controller, name) {
  const [network, endpoint] = name.split('/')
  return controller.networks.find(/** @type {string} */ (network))?.endpoints.find((each) => each.name === endpoint)
}

/** @param {Controller} controller @param {() => number} random @param {() => number} serial @returns {Operation | undefined} */
function next(controller, random, serial) {
  const networks = controller.networks.list()
  const sandboxes = controller.sandboxes.list()
  const [network, sandbox] = [pick(networks, random), pick(sandboxes, random)]
  const endpoint = pick(sandbox?.endpoints ?? [], random)
  const dice = random()
  if (dice < 0.1) return networks.length < NETWORKS ? makeNetwork(controller, `n${serial()}`, random() < 0.3) : undefined
  if (dice < 0.3) return sandboxes.length < SANDBOXES ? makeSandbox(controller, `s${serial()}`) : undefined
  if (network === undefined || sandbox === undefined) return undefined
  if (dice < 0.6) {
    if (sandbox.endpoints.some((each) => each.network === network)) return undefined
    const port = random() < 0.4 ? serial() : undefined
    return {
      what: 'connect',
      things: [{ kind: 'endpoint', name: `${network.name}/${sandbox.name}` }],
      holds: [`sandbox ${sandbox.name}`],
      leaves: 'present',
      run: () => sandbox.connect(network, port === undefined ? {} : { ports: [{ host: 20000 + (port % 20000), container: 80 }] }),
    }
  }
  if (dice < 0.8 && endpoint !== undefined) return changeEndpoint(endpoint, random, serial)
  if (dice < 0.9) {
    const things = [sandbox, ...sandbox.endpoints].map((each) => thingOf(each))
    return { what: 'delete sandbox', things, leaves: 'absent', run: () => sandbox.delete() }
  }
  if (dice > 0.97 && network.endpoints.length === 0)
    return { what: 'delete network', things: [thingOf(network)], leaves: 'absent', run: () => network.delete() }
  return undefined
}

/** @param {Controller} controller @param {string} name @param {boolean} enableIPv6 @returns {Operation} */
const makeNetwork = (controller, name, enableIPv6) => ({
  what: 'create network',
  things: [{ kind: 'network', name }],
  leaves: 'present',
  run: () => controller.createNetwork({ name, enableIPv6 }),
})
/** @param {Controller} controller @param {string} name @returns {Operation} */
const makeSandbox = (controller, name) => ({
  what: 'create sandbox',
  things: [{ kind: 'sandbox', name }],
  leaves: 'present',
  run: () => controller.createSandbox({ name }),
})

/** @param {Endpoint} endpoint @param {() => number} random @param {() => number} serial @returns {Operation} */
function changeEndpoint(endpoint, random, serial) {
  const things = [thingOf(endpoint)]
  const { sandbox, ports } = endpoint
  const holds = [`sandbox ${sandbox?.name}`]
  const port = pick(ports, random)
  if (random() < 0.3) return { what: 'disconnect', things, holds, leaves: 'absent', run: () => endpoint.delete({ force: true }) }
  if (port !== undefined && random() < 0.5)
    return { what: 'unpublish', things, holds, leaves: 'present', run: () => endpoint.unpublish([{ host: port.hostPort }]) }
  const host = 20000 + (serial() % 20000)
  return { what: 'publish', things, holds, leaves: 'present', run: () => endpoint.publish([{ host, container: 81 }]) }
}

/** @param {{ name: string, network?: { name: string }, netns?: string }} object @returns {Thing} */
function thingOf(object) {
  if (object.network !== undefined) return { kind: 'endpoint', name: `${object.network.name}/${object.name}` }
  return { kind: object.netns === undefined ? 'network' : 'sandbox', name: object.name }
}

/** @param {Controller} controller @param {{ what: string, things: Thing[] }} operation */
async function repeat(controller, { what, things }) {
  const [{ kind, name }] = /** @type {[Thing]} */ (things)
  if (kind === 'network') {
    await controller.networks.find(name)?.delete()
    if (what.startsWith('create')) await controller.createNetwork({ name })
  } else if (kind === 'sandbox') {
    await controller.sandboxes.find(name)?.delete()
    if (what.startsWith('create')) await controller.createSandbox({ name })
  } else {
    const [network, sandbox] = /** @type {[string, string]} */ (name.split('/'))
    await endpointOf(controller, name)?.delete({ force: true })
    if (what === 'connect') await controller.sandboxes.get(sandbox).connect(controller.networks.get(network))
  }
}

/** @param {Controller} controller @param {Thing} thing */
function facts(controller, { kind, name }) {
  if (kind === 'network') return controller.networks.get(name).subnets
  if (kind === 'sandbox') return controller.sandboxes.get(name).netns
  const endpoint = endpointOf(controller, name)
  return [endpoint?.addresses, endpoint?.mac, endpoint?.interfaceName, endpoint?.ports, endpoint?.sandbox?.name]
}

/** @type {Workload} */
export default { next, repeat, facts, refusals: ['ERR_CNM_NETWORK_NOT_FOUND', 'ERR_CNM_NETWORK_IN_USE'] }
