import { HomeNamespace, type Namespace } from '../../../src/kernel/loop/index.js'
import type { DnsForwarding, DnsServer } from '../contract.js'
import { RESOLVER_ADDRESS, RESOLVER_ADDRESS_6 } from '../contract.js'
import { HostServers } from './host-servers.js'
import type { ServerIo } from './io.js'
import { ServerGroup } from './server-group.js'

/** Which servers each sandbox's questions go to; sandboxes with the same servers share them, and their cache. */
export class ServerGroups {
  readonly #home = new HomeNamespace()
  readonly #host: HostServers
  readonly #groups = new Map<string, ServerGroup>()
  /** Sandbox to the key of its group. */
  readonly #keys = new Map<string, string>()
  readonly #users = new Map<string, number>()
  readonly #io: ServerIo

  constructor(io: ServerIo) {
    this.#io = io
    this.#host = new HostServers(io.tuning.hostResolvConf, new ServerGroup('host\0', io, this.#home, 'host'))
  }

  /** The group for a sandbox's forwarding, in place of the one it had. @returns undefined: nothing is forwarded */
  take(sandbox: string, forwarding: DnsForwarding, namespace: string | undefined): ServerGroup | undefined {
    if (forwarding.to !== 'servers') {
      this.drop(sandbox)
      return forwarding.to === 'host' ? this.#host.group : undefined
    }
    const inside = forwarding.from === 'sandbox'
    const servers = inside ? forwarding.servers.filter((server) => !isOurselves(server)) : forwarding.servers
    const key = `${inside ? sandbox : ''} ${servers.map((server) => `${server.address}#${server.port ?? 53}`).join(' ')}\0`
    let group = this.#groups.get(key)
    if (group === undefined) {
      group = new ServerGroup(key, this.#io, inside ? this.#enter(sandbox, namespace) : this.#home, inside ? sandbox : 'host')
      group.use(servers)
      this.#groups.set(key, group)
    }
    this.#users.set(key, (this.#users.get(key) ?? 0) + 1)
    this.drop(sandbox)
    this.#keys.set(sandbox, key)
    return group
  }

  #enter(sandbox: string, namespace: string | undefined): Namespace {
    if (namespace === undefined) throw new Error(`sandbox ${sandbox}: its servers are asked from its namespace, whose path was not given`)
    return this.#home.other(namespace)
  }

  drop(sandbox: string): void {
    const key = this.#keys.get(sandbox)
    if (key === undefined) return
    this.#keys.delete(sandbox)
    const users = this.#users.get(key)! - 1
    this.#users.set(key, users)
    if (users > 0) return
    this.#users.delete(key)
    this.#groups.get(key)?.close()
    this.#groups.delete(key)
  }

  /** The host's servers as they are now; called before a question goes to them. */
  refresh(group: ServerGroup): void {
    if (group === this.#host.group) this.#host.refresh(this.#io.loop.now)
  }

  statistics(): { strangers: number; servers: { address: string; from: string; rtt: number; suspect: boolean }[] } {
    const all = [this.#host.group, ...this.#groups.values()].flatMap((group) =>
      group.servers.map((server) => ({ server, from: group.from })),
    )
    return {
      strangers: all.reduce((sum, { server }) => sum + server.strangers, 0),
      servers: all.map(({ server, from }) => ({ address: server.label, from, rtt: server.health.rtt, suspect: server.health.suspect })),
    }
  }

  close(): void {
    for (const group of [this.#host.group, ...this.#groups.values()]) group.close()
    this.#groups.clear()
    this.#home.close()
  }
}

/** The resolver itself, asked from inside a sandbox: a loop. */
export function isOurselves(server: DnsServer): boolean {
  return (server.address === RESOLVER_ADDRESS || server.address === RESOLVER_ADDRESS_6) && (server.port ?? 53) === 53
}
