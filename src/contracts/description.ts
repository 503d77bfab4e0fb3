import type { KernelObject } from './kernel-objects.js'

/**
 * What must exist in the kernel while a network or a joined endpoint lives: plain data, in no particular order.
 *
 * Places are symbolic: `host`, `sandbox` (the namespace of the sandbox that an endpoint is joined to) and
 * `private:<name>` (a namespace of the network's own, made when something first describes an object in it).
 * Several owners may describe the same object in the same words: it exists once, and goes with the last of them.
 *
 * Default routes in an endpoint's description are candidates: of all endpoints of a sandbox, the core keeps one
 * per address family.
 */
export type Description = readonly KernelObject[]

/** Who wants an object: `network/<id>`, `network/<id>/<part>`, `endpoint/<id>`, `sandbox/<id>`. */
export type Owner = string
