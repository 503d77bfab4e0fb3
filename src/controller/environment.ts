import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { shortId } from './identifiers.js'
import type { Sandbox } from './sandbox.js'

const RUN_DIRECTORY = '/run/libcnm'

/** What the programs of a sandbox see: hosts, resolv.conf and hostname of their own in place of the host's. */
export class SandboxEnvironment {
  readonly #sandbox: Sandbox
  readonly directory: string
  #made: Promise<string> | undefined

  constructor(sandbox: Sandbox) {
    this.#sandbox = sandbox
    this.directory = join(RUN_DIRECTORY, sandbox.core.instance, shortId(sandbox.id))
  }

  get hostsFile(): string {
    return join(this.directory, 'hosts')
  }
  get resolvConf(): string {
    return join(this.directory, 'resolv.conf')
  }

  /** Makes it when the first program needs it. Returns its folder. */
  ready(): Promise<string> {
    this.#made ??= this.#make().catch((error: unknown) => {
      this.#made = undefined
      throw error
    })
    return this.#made
  }

  async drop(): Promise<void> {
    await this.#sandbox.core.kernel.dropEnvironment(this.directory)
  }

  async #make(): Promise<string> {
    const { core, record } = this.#sandbox
    await mkdir(this.directory, { recursive: true, mode: 0o700 })
    const hostname = join(this.directory, 'hostname')
    await Promise.all([writeFile(hostname, `${record.hostname}\n`), this.write()])
    const binds = [
      { source: hostname, target: '/etc/hostname' },
      { source: this.hostsFile, target: '/etc/hosts' },
      { source: this.resolvConf, target: '/etc/resolv.conf' },
    ]
    await core.kernel.makeEnvironment({ folder: this.directory, binds, hostname: record.hostname })
    return this.directory
  }

  /** Writes the files anew, in place, so that those who have them mounted see it. */
  async write(): Promise<void> {
    await Promise.all([writeFile(this.hostsFile, hostsText(this.#sandbox)), writeFile(this.resolvConf, resolvText(this.#sandbox))])
  }
}

function hostsText({ record, endpoints }: Sandbox): string {
  const lines = [
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::\tip6-localnet',
    'ff00::\tip6-mcastprefix',
    'ff02::1\tip6-allnodes',
    'ff02::2\tip6-allrouters',
  ]
  for (const [name, address] of Object.entries(record.extraHosts)) lines.push(`${address}\t${name}`)
  for (const endpoint of endpoints) {
    for (const address of endpoint.addresses) lines.push(`${address.slice(0, address.indexOf('/'))}\t${record.hostname}`)
  }
  return `${lines.join('\n')}\n`
}

function resolvText({ record }: Sandbox): string {
  const { servers, search, options } = record.dns
  const lines = servers.map((server) => `nameserver ${server}`)
  if (search.length > 0) lines.push(`search ${search.join(' ')}`)
  if (options.length > 0) lines.push(`options ${options.join(' ')}`)
  return `${lines.join('\n')}\n`
}
