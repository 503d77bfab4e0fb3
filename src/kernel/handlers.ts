import { CnmError } from '../contracts/errors.js'
import type { KernelObject, KernelObjectKind } from '../contracts/kernel-objects.js'
import { featuresHandler } from './features/index.js'
import type { ObjectHandler } from './handler.js'
import { mountHandler } from './mounts.js'
import { firewallHandlers } from './nftables/index.js'
import { rtnetlinkHandlers } from './rtnetlink/index.js'
import { sysctlHandler } from './sysctl.js'
import { withWireguard } from './wireguard/index.js'
import { xfrmPolicyHandler, xfrmStateHandler } from './xfrm/index.js'

export type AnyHandler = ObjectHandler<KernelObjectKind>

/** Namespaces and the removal of links are the transaction's own business; everything else has a handler. */
const handlers: Readonly<Record<string, AnyHandler | undefined>> = {
  ...(rtnetlinkHandlers as Readonly<Record<string, AnyHandler>>),
  link: withWireguard(rtnetlinkHandlers.link) as AnyHandler,
  sysctl: sysctlHandler as AnyHandler,
  mount: mountHandler as AnyHandler,
  features: featuresHandler as AnyHandler,
  'xfrm-state': xfrmStateHandler as AnyHandler,
  'xfrm-policy': xfrmPolicyHandler as AnyHandler,
  ...(firewallHandlers as Readonly<Record<string, AnyHandler>>),
}

/** @throws CnmError ERR_CNM_INVALID_ARGUMENT for a kind that there is not */
export function handlerOf(kind: string): AnyHandler {
  const handler = Object.hasOwn(handlers, kind) ? handlers[kind] : undefined
  if (handler !== undefined) return handler
  throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `there is no kernel object of kind ${JSON.stringify(kind)}`, { field: 'kind' })
}

export function describe(action: 'create' | 'change' | 'delete', object: KernelObject): string {
  if (object.kind !== 'namespace') return handlerOf(object.kind).describe(action, object)
  return `ip netns ${action === 'delete' ? 'delete' : 'add'} ${object.at}`
}
