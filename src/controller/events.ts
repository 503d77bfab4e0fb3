import type { Deviation } from '../engine/check.js'
import type { NodeState } from './cluster/nodes.js'
import type { Endpoint } from './endpoint.js'
import type { Network } from './network.js'
import type { Sandbox } from './sandbox.js'
import type { VolumeProgress } from './volumes/progress.js'
import type { Volume } from './volumes/volume.js'
import type { VolumesPruned } from './volumes/volumes.js'

/** What a controller tells about, and with what. */
export interface ControllerEvents {
  'network:create': [event: { network: Network }]
  'network:change': [event: { network: Network }]
  'network:delete': [event: { network: Network }]
  'endpoint:create': [event: { endpoint: Endpoint; network: Network }]
  'endpoint:join': [event: { endpoint: Endpoint; network: Network; sandbox: Sandbox }]
  'endpoint:change': [event: { endpoint: Endpoint; network: Network }]
  'endpoint:leave': [event: { endpoint: Endpoint; network: Network; sandbox: Sandbox }]
  'endpoint:delete': [event: { endpoint: Endpoint; network: Network }]
  'sandbox:create': [event: { sandbox: Sandbox }]
  'sandbox:change': [event: { sandbox: Sandbox }]
  'sandbox:delete': [event: { sandbox: Sandbox }]
  'volume:create': [event: { volume: Volume }]
  'volume:mount': [event: { volume: Volume; consumer: string; readOnly: boolean }]
  'volume:unmount': [event: { volume: Volume; consumer: string }]
  'volume:delete': [event: { volume: Volume }]
  'volume:progress': [event: VolumeProgress]
  'volume:prune': [event: VolumesPruned]
  /** Somebody else had changed this in the kernel, and it is as it should be again. */
  repair: [event: { repaired: readonly Deviation[] }]
  /** The store of the cluster can be reached again, or no longer. */
  'cluster:contact': [event: { inTouch: boolean }]
  /** How another host of the cluster is. */
  'node:change': [event: { name: string; state: NodeState }]
  /** Something works, but not as one might expect: a foreign firewall that drops, a sysctl that was switched on. */
  warning: [event: { message: string; about?: string }]
}
