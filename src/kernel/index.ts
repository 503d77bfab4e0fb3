export { Kernel, type CallOptions, type KernelOptions } from './kernel.js'
export {
  LoopThread,
  type LoopThreadData,
  type LoopThreadEvents,
  type LoopThreadOptions,
  type ReadyReport,
  type StopMessage,
} from './loop-thread.js'
export { parseMountinfo, type Mount } from './mountinfo.js'
export { Mounting } from './mounting/mounting.js'
export type * from './mounting/request.js'
export type { ListFilter } from './protocol.js'
export type { LinkStatistics } from './rtnetlink/index.js'
export type { InternetAddress } from './socket-address.js'
export type { SocketHandle, SocketRequest } from './sockets.js'
export type { Fault } from './transaction/faults.js'
export type { HostReading, ReadRequest } from './host-calls.js'
export type { PublishedPorts } from './ports/flows.js'
export type { PortReservation, ReservationResult } from './ports/reservation.js'
export type { EnvironmentSpec, ExitReport, SpawnResult, SpawnSpec } from './process/messages.js'
export type { RunningProgram } from './process/programs.js'
export type { FlowFilter, OriginalDestination, TupleFilter } from './conntrack/index.js'
export { FLOW_STATUS, type Flow, type FlowCounters, type FlowTuple } from './conntrack/flow.js'
export type * from './events/event.js'
export { KernelWatch, type WatchGroup, type WatchOptions } from './events/index.js'
export { FEATURE_NAMES, FEATURES, type Capabilities, type FeatureName, type HostSettings, type Verdict } from './probe/capabilities.js'
export { capabilitiesTable } from './probe/table.js'
export type { WireguardPeerState, WireguardState } from './wireguard/index.js'
export { redactedKey } from '../contracts/aead-key.js'
export * from './files/index.js'
export * from './archive/index.js'
