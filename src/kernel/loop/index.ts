/**
 * A blocking event loop for a worker thread of its own, on epoll(7) and buffers that system calls use in place: for
 * servers that have to answer at once whatever the program's thread does. Loads the C library; never import it on a
 * program's main thread.
 */
export { Arena } from './arena.js'
export { Datagrams } from './datagrams.js'
export { EventLoop, type Handler } from './event-loop.js'
export { Mailbox } from './mailbox.js'
export { HomeNamespace, type Namespace } from './namespace.js'
export { splitScope, writeSocketAddress } from './peer-address.js'
export * from './system-calls.js'
export { Timer, Timers } from './timers.js'
export { Unsent } from './unsent.js'
