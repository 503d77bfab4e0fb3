import { readFileSync, statSync } from 'node:fs'
import { parseResolvConf } from '../files/resolv-conf.js'
import type { ServerGroup } from './server-group.js'

/** Milliseconds between two looks at the file. */
const LOOK = 500
/** resolv.conf(5), MAXNS. */
const MOST_SERVERS = 3
/** What resolv.conf(5) says when no server is named. */
const DEFAULT_SERVER = '127.0.0.1'

/**
 * The servers of the host's resolv.conf, as it is now: the file is looked at (one stat(2), which follows symlinks)
 * before questions are forwarded, at most twice a second. Unlike inotify that misses no way of replacing it.
 */
export class HostServers {
  #lookedAt = -Infinity
  #seen = ''

  constructor(
    private readonly path: string,
    readonly group: ServerGroup,
  ) {}

  refresh(now: number): void {
    if (now - this.#lookedAt < LOOK) return
    this.#lookedAt = now
    const stat = statSync(this.path, { bigint: true, throwIfNoEntry: false })
    const seen = stat === undefined ? 'none' : `${stat.dev} ${stat.ino} ${stat.size} ${stat.mtimeNs}`
    if (seen === this.#seen) return
    const servers = this.#read()
    // A file that is just being replaced keeps the servers we have.
    if (servers === undefined && this.group.servers.length > 0) return
    this.#seen = seen
    this.group.use((servers ?? [DEFAULT_SERVER]).map((address) => ({ address })))
  }

  #read(): string[] | undefined {
    try {
      const { nameservers } = parseResolvConf(readFileSync(this.path, 'utf8'))
      return nameservers.length === 0 ? [DEFAULT_SERVER] : nameservers.slice(0, MOST_SERVERS)
    } catch {
      return undefined
    }
  }
}
