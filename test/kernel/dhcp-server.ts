import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LAN, ROUTERS } from './lan.js'

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
