export type { FlowFilter, TupleFilter } from './filter.js'
export { FLOW_STATUS, type Flow, type FlowCounters, type FlowTuple } from './flow.js'
export type { Protocol, ProtocolName } from './protocols.js'
export { deleteFlows, deleteFlowsOf, deleteFlowsTo, deleteMatchingFlows, listFlows, type OriginalDestination } from './table.js'
