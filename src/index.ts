export * from './contracts/index.js'
export { Controller, type View } from './controller/controller.js'
export type { NetworkMember } from './controller/cluster/members.js'
export type { NodeOptions } from './controller/cluster/node-options.js'
export type { ClusterNode, NodeState } from './controller/cluster/nodes.js'
export type { Endpoint } from './controller/endpoint.js'
export type { ControllerEvents } from './controller/events.js'
export type { Collected, CollectOptions } from './controller/collect.js'
export type { CollectFailure } from './controller/garbage.js'
export type { Filters } from './controller/filters.js'
export type { EndpointInspection, NetworkInspection, SandboxInspection } from './controller/inspect.js'
export type { Network } from './controller/network.js'
export type { ControllerOptions } from './controller/open.js'
export type {
  EndpointChanges,
  EndpointOptions,
  NetworkChanges,
  NetworkOptions,
  OperationOptions,
  PortOptions,
  RouteOptions,
  SandboxChanges,
  SandboxOptions,
  SubnetOptions,
} from './controller/options.js'
export type { PortWay, PublishedPort } from './controller/ports/port-views.js'
export type { RunOptions, RunResult, SpawnOptions } from './controller/programs.js'
export type { DialOptions, ListenOptions } from './controller/sandbox-sockets.js'
export type { Sandbox } from './controller/sandbox.js'
export type { LinkStatistics } from './kernel/index.js'
export type { VolumeInspection } from './controller/volumes/inspect.js'
export type { VolumeMountOptions, VolumeOptions, VolumeUnmountOptions } from './controller/volumes/options.js'
export type { VolumeDeleteOptions } from './controller/volumes/delete.js'
export type { Volume } from './controller/volumes/volume.js'
export type { VolumePruneOptions, Volumes, VolumesPruned } from './controller/volumes/volumes.js'
export type { BindSource, MountSource, SandboxMountOptions, TmpfsSource, VolumeSource } from './controller/sandbox-mounts/options.js'
export type { MountInspection } from './controller/sandbox-mounts/inspect.js'
export type { VolumeCopyOptions } from './controller/volumes/copies.js'
export type { VolumeProgress } from './controller/volumes/progress.js'
