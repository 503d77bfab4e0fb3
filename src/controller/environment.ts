import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { shortId } from './identifiers.js'
import { attachMissing } from './sandbox-mounts/attach.js'
import type { Sandbox } from './sandbox.js'

export const RUN_DIRECTORY = '/run/libcnm'

/** What the programs of a sandbox see: hosts, resolv.conf and hostname of their own in place of the host's. */
export class SandboxEnvironment {
  readonly #sandbox: Sandbox
  readonly directory: string
  #made: Promise<string> | undefined
  /** Nothing of it is there. */
  #absent: boolean

  /** @param isNew the sandbox is: no controller before this one can have made anything of it */
  constructor(sandbox: Sandbox, isNew: boolean) {
    this.#sandbox = sandbox
    this.#absent = isNew
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
    if (!this.#absent) await this.#sandbox.core.kernel.dropEnvironment(this.directory)
  }

  async #make(): Promise<string> {
    const { core, record } = this.#sandbox
    this.#absent = false
    await mkdir(this.directory, { recursive: true, mode: 0o700 })
    const hostname = join(this.directory, 'hostname')
    await Promise.all([writeFile(hostname, `${record.hostname}\n`), this.write()])
    const binds = [
      { source: hostname, target: '/etc/hostname' },
      { source: this.hostsFile, target: '/etc/hosts' },
      { source: this.resolvConf, target: '/etc/resolv.conf' },
    ]
    const without = core.volumes.collection.size > 0 ? core.volumes.directory : undefined
    await core.kernel.makeEnvironment({ folder: this.directory, binds, hostname: record.hostname, without })
    await attachMissing(this.#sandbox, this.directory)
    return this.directory
  }

  /** Writes the files anew, in place, so that those who have them mounted see it. */
  async write(): Promise<void> {
    const { updateMountedFile, updateHosts, basicHosts } = await import('../../drivers/dns/index.js')
    const resolv = await this.#sandbox.core.names.resolvConf(this.#sandbox)
    await updateMountedFile(this.hostsFile, (text) => updateHosts(text === '' ? basicHosts(true) : text, hostsEntries(this.#sandbox)))
    await updateMountedFile(this.resolvConf, () => resolv)
  }

  /** Brings the files up to date if a program has had use for them. */
  async refresh(): Promise<void> {
    if (this.#made !== undefined || (!this.#absent && existsSync(this.hostsFile))) await this.write()
  }
}

function hostsEntries({ record, endpoints }: Sandbox): { address: string; names: string[] }[] {
  const extra = Object.entries(record.extraHosts).map(([name, address]) => ({ address, names: [name] }))
  const own = endpoints.flatMap(({ addresses }) => addresses.map((address) => ({ address, names: [record.hostname] })))
  return [...extra, ...own]
}
