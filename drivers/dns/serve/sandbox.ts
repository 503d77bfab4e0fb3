import type { DnsView } from '../contract.js'
import type { ServerGroup } from '../forward/server-group.js'
import type { SandboxNames } from '../local/sandbox-names.js'

/** A sandbox as its listeners need it. One small object: there may be ten thousand. */
export interface Sandbox {
  readonly id: string
  names: SandboxNames
  /** undefined: questions of others' names are answered SERVFAIL. */
  group: ServerGroup | undefined
  view: DnsView
  /** Questions that wait for servers. */
  waiting: number
  /** Open TCP connections. */
  connections: number
}
