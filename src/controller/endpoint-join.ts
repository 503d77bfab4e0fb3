import type { Description } from '../contracts/description.js'
import { CnmError } from '../contracts/errors.js'
import type { KernelObject, RouteObject } from '../contracts/kernel-objects.js'
import type { EndpointRecord } from '../contracts/records.js'
import { announce } from './announce.js'
import { abortable, ownerOf, save } from './core.js'
import { sysctlPath } from './endpoint-options.js'
import type { Endpoint } from './endpoint.js'
import type { OperationOptions } from './options.js'
import { resolvePlaces } from './places.js'
import type { Sandbox } from './sandbox.js'
import { undoable } from './undo.js'

/** Join: record, kernel, record. The endpoint's objects and the sandbox's default routes change in one transaction. */
export async function joinSandbox(endpoint: Endpoint, sandbox: Sandbox, options: OperationOptions): Promise<void> {
  const { core, network } = endpoint
  core.alive()
  abortable(options.signal, `endpoint ${endpoint.name}`)
  network.refuseSandbox(sandbox.record)
  await core.serial.run([`endpoint/${endpoint.id}`, `sandbox/${sandbox.id}`], () =>
    undoable(async (undo) => {
      refuseJoined(endpoint)
      sandbox.refuseGone()
      const before = endpoint.record
      const joining: EndpointRecord = { ...before, phase: 'joining', sandbox: sandbox.id }
      joining.interfaceName = network.guardedDriver.capabilities.interfaces ? await sandbox.chooseInterfaceName(endpoint) : undefined
      const facts = await network.facts()
      joining.state = await network.guardedDriver.beforeJoin(endpoint.view(joining), network.view(), facts, options.signal)
      undo.push(() => network.guardedDriver.afterLeave(endpoint.view(joining), network.view()))
      abortable(options.signal, `endpoint ${endpoint.name}`)
      Object.assign(
        joining,
        describe(endpoint, joining, sandbox, network.guardedDriver.endpoint(endpoint.view(joining), network.view(), facts)),
      )
      await save(core, [joining])
      undo.push(() => save(core, [before]))
      await joinInKernel(endpoint, sandbox, joining)
      undo.push(() => leaveInKernel(endpoint, sandbox, before))
      const joined: EndpointRecord = { ...joining, phase: 'ready' }
      await save(core, [joined])
      endpoint.record = joined
    }),
  )
  announce(endpoint, sandbox)
  core.events.emit('endpoint:join', { endpoint, network, sandbox })
}

/** Leave: record, kernel, record. The endpoint keeps its addresses and can join again. */
export async function leaveSandbox(endpoint: Endpoint, _options: OperationOptions): Promise<void> {
  const { core, network } = endpoint
  core.alive()
  const sandbox = endpoint.sandbox
  if (sandbox === undefined) throw notJoined(endpoint)
  await core.serial.run([`endpoint/${endpoint.id}`, `sandbox/${sandbox.id}`], async () => {
    if (endpoint.record.sandbox !== sandbox.id) throw notJoined(endpoint)
    const leaving: EndpointRecord = { ...endpoint.record, phase: 'leaving' }
    await save(core, [leaving])
    await leaveInKernel(endpoint, sandbox, withoutSandbox(leaving))
    await network.guardedDriver.afterLeave(endpoint.view(leaving), network.view())
    await save(core, [endpoint.record])
  })
  core.events.emit('endpoint:leave', { endpoint, network, sandbox })
}

/** The record of the endpoint when it is in no sandbox. */
export function withoutSandbox(record: EndpointRecord): EndpointRecord {
  const { sandbox: _sandbox, interfaceName: _name, state: _state, ...rest } = record
  return { ...rest, phase: 'ready', description: [], gateways: [] }
}

async function joinInKernel(endpoint: Endpoint, sandbox: Sandbox, joining: EndpointRecord): Promise<void> {
  const { core } = endpoint
  const before = endpoint.record
  endpoint.record = joining
  sandbox.joined.add(endpoint)
  try {
    await core.engine.apply(
      new Map([
        [ownerOf(joining), joining.description],
        [ownerOf(sandbox.record), sandbox.describe()],
      ]),
    )
  } catch (error) {
    endpoint.record = before
    sandbox.joined.delete(endpoint)
    throw error
  }
}

async function leaveInKernel(endpoint: Endpoint, sandbox: Sandbox, after: EndpointRecord): Promise<void> {
  const { core } = endpoint
  const before = endpoint.record
  endpoint.record = after
  sandbox.joined.delete(endpoint)
  try {
    await core.engine.apply(
      new Map([
        [ownerOf(after), undefined],
        [ownerOf(sandbox.record), sandbox.describe()],
      ]),
    )
  } catch (error) {
    endpoint.record = before
    sandbox.joined.add(endpoint)
    throw error
  }
}

/** What the driver describes, in real namespaces, with what the core itself adds, and without the default routes. */
function describe(
  endpoint: Endpoint,
  record: EndpointRecord,
  sandbox: Sandbox,
  description: Description,
): Pick<EndpointRecord, 'description' | 'gateways'> {
  const { core, network } = endpoint
  const at = sandbox.record.namespace
  const context = { instance: core.instance, driver: network.driver, networkId: network.id, sandbox: at }
  const objects: KernelObject[] = []
  const gateways: RouteObject[] = []
  for (const object of resolvePlaces(description, context)) {
    if (object.kind === 'route' && object.at === at && isDefault(object)) gateways.push({ ...object, family: familyOf(object) })
    else objects.push(object)
  }
  if (record.interfaceName !== undefined) {
    const link = record.interfaceName
    for (const address of record.linkLocal)
      objects.push({ kind: 'address', at, link, address, scope: 'link', noDad: address.includes(':') || undefined })
    for (const [name, value] of Object.entries(record.sysctls)) objects.push({ kind: 'sysctl', at, path: sysctlPath(name, link), value })
  }
  return { description: withoutIPv6WhereOff(objects, record), gateways }
}

/** An endpoint sysctl that switches IPv6 off on the interface: the kernel would refuse its IPv6 addresses. */
function withoutIPv6WhereOff(objects: KernelObject[], record: EndpointRecord): KernelObject[] {
  if (record.sysctls['net.ipv6.conf.IFNAME.disable_ipv6'] !== '1') return objects
  return objects.filter((object) => object.kind !== 'address' || object.link !== record.interfaceName || !object.address.includes(':'))
}

const isDefault = ({ destination }: RouteObject): boolean => ['default', '0.0.0.0/0', '::/0'].includes(destination)
const familyOf = (route: RouteObject): 4 | 6 => route.family ?? (route.destination.includes(':') || route.gateway?.includes(':') ? 6 : 4)

function refuseJoined(endpoint: Endpoint): void {
  if (endpoint.core.endpoints.get(endpoint.id) !== endpoint) {
    throw new CnmError('ERR_CNM_ENDPOINT_NOT_FOUND', `endpoint ${endpoint.name} is gone`, { object: `endpoint ${endpoint.name}` })
  }
  if (endpoint.record.sandbox === undefined) return
  const where = endpoint.sandbox?.name ?? endpoint.record.sandbox
  throw new CnmError('ERR_CNM_ENDPOINT_JOINED', `endpoint ${endpoint.name} is joined to sandbox ${where} already`, {
    object: `endpoint ${endpoint.name}`,
  })
}

const notJoined = (endpoint: Endpoint): CnmError =>
  new CnmError('ERR_CNM_ENDPOINT_NOT_JOINED', `endpoint ${endpoint.name} is joined to no sandbox`, { object: `endpoint ${endpoint.name}` })
