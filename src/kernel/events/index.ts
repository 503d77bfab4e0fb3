export type { FailedEvent, KernelEvent, NamespaceEvent, NftablesEvent, ObjectEvent, OverrunEvent, WatchedKind } from './event.js'
export type { WatchGroup } from './groups.js'
export { eventThread, type EventThread } from './event-thread.js'
export { KernelWatch, type WatchOptions } from './watch.js'
