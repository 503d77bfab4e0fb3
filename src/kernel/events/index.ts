export type { FailedEvent, KernelEvent, NamespaceEvent, NftablesEvent, ObjectEvent, OverrunEvent, WatchedKind } from './event.js'
export type { WatchGroup } from './groups.js'
export { eventThread, KernelWatch, type EventThread, type WatchOptions } from './watch.js'
