import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** The options of a volume with what is secret in them, and which texts those are. */
export interface Secrets {
  options: Record<string, string>
  texts: string[]
}

/** Passwords of volumes: a file each, for nobody else to read, beside the store and not in it. */
export class SecretFiles {
  readonly #directory: string

  constructor(directory: string) {
    this.#directory = directory
  }

  async write(id: string, secrets: Secrets): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 })
    const next = `${this.#path(id)}.new`
    await writeFile(next, JSON.stringify(secrets), { mode: 0o600 })
    await rename(next, this.#path(id))
  }
  async read(id: string): Promise<Secrets | undefined> {
    try {
      return JSON.parse(await readFile(this.#path(id), 'utf8')) as Secrets
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  }
  async remove(id: string): Promise<void> {
    await rm(this.#path(id), { force: true })
  }
  /** Removes those of volumes that are not known. */
  async keepOnly(known: (id: string) => boolean): Promise<void> {
    const names = await readdir(this.#directory).catch(() => [])
    for (const name of names) if (!known(name)) await rm(join(this.#directory, name), { force: true })
  }

  #path(id: string): string {
    return join(this.#directory, id)
  }
}
