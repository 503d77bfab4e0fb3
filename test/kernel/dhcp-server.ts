import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sh } from '../drivers/world.js'

/** A LAN: the host's device `up0`, and on its other end a namespace `lan` with a DHCP server. */
export const LAN = 'lan'
export const ROUTERS = ['10.77.0.1', '10.77.0.2'] as const

export function makeLan(): void {
  sh(
    'host',
    'sh',
    '-ec',
    `ip netns add ${LAN}
     ip link add up0 type veth peer name eth0 netns ${LAN}
     ip link set up0 addrgenmode none up
     ip -n ${LAN} link set lo up
     ip -n ${LAN} link set eth0 up`,
  )
  addressLan(...ROUTERS)
}

/** Gives the server's interface these addresses and no others. */
export function addressLan(...addresses: string[]): void {
  sh(LAN, 'ip', 'addr', 'flush', 'dev', 'eth0')
  for (const address of addresses) sh(LAN, 'ip', 'addr', 'add', `${address}/24`, 'dev', 'eth0')
}

export function removeLan(): void {
  sh('host', 'ip', 'netns', 'delete', LAN)
}

export interface ServerOptions {
  /** First and last address. */
  range: readonly [string, string]
  router?: string
  /** Seconds; dnsmasq has no leases of less than 120. */
  renew?: number
  rebind?: number
  /** Forgets what it gave. */
  forget?: boolean
  more?: readonly string[]
}

/** dnsmasq in the LAN. */
export class DhcpServer {
  readonly #folder = mkdtempSync(join(tmpdir(), 'cnm-dhcp-'))
  #process: ChildProcess | undefined
  /** What it wrote. */
  log = ''

  async start({ range, router = ROUTERS[0], renew, rebind, forget = false, more = [] }: ServerOptions): Promise<void> {
    const leases = join(this.#folder, 'leases')
    if (forget) writeFileSync(leases, '')
    const times = [
      ...(renew === undefined ? [] : [`--dhcp-option-force=tag:eth0,option:T1,${renew}`]),
      ...(rebind === undefined ? [] : [`--dhcp-option-force=tag:eth0,option:T2,${rebind}`]),
    ]
    const args = [
      ...['--keep-in-foreground', '--conf-file=/dev/null', '--port=0', '--user=root', '--pid-file', '--no-ping', '--log-dhcp'],
      ...['--log-facility=-', '--interface=eth0', '--bind-interfaces', '--dhcp-authoritative', `--dhcp-leasefile=${leases}`],
      ...[`--dhcp-range=${range.join(',')},255.255.255.0,2m`, `--dhcp-option=3,${router}`, ...times, ...more],
    ]
    const child = spawn('ip', ['netns', 'exec', LAN, 'dnsmasq', ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
    this.#process = child
    child.stderr.on('data', (chunk: Buffer) => (this.log += chunk.toString()))
    await this.said(/DHCP, IP range|FAILED|failed/)
  }

  /** Lines of its log so far that match. */
  lines(pattern: RegExp): string[] {
    return this.log.split('\n').filter((line) => pattern.test(line))
  }

  /** Waits until it has written this. */
  async said(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.log)) {
      if (this.#process?.exitCode !== null) throw new Error(`dnsmasq ended: ${this.log}`)
      await once(this.#process.stderr!, 'data')
    }
  }

  async stop(): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (child === undefined || child.exitCode !== null) return
    child.kill()
    await once(child, 'close')
    this.log = ''
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true })
  }
}
