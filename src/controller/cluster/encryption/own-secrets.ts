import { randomBytes } from 'node:crypto'
import type { SenderRecord } from './records.js'

export interface OwnSecret {
  id: number
  secret: string
  /** Made by this process: what it has been used for is known. */
  fresh: boolean
  /** Number of the commit that told the others; 0 for one that was there before. */
  told: number
}

const SECRET_BYTES = 32
const random = (): string => randomBytes(SECRET_BYTES).toString('hex')

/**
 * The secrets of this host as they are in the store. Changing them is planned first: what {@link change} returns is
 * written, and counts from {@link take} on.
 */
export class OwnSecrets {
  #life: string | undefined
  #round = 0
  #list: OwnSecret[] = []

  /** Undefined before the store has any. */
  get life(): string | undefined {
    return this.#life
  }
  get round(): number {
    return this.#round
  }
  /** The newest last. */
  get list(): readonly OwnSecret[] {
    return this.#list
  }

  /** What the store should have. */
  change({ round = this.#round, newLife = false, add = false, drop }: OwnChange): SenderRecord {
    const secrets = this.#list.filter(({ id }) => !drop?.has(id)).map(({ id, secret }) => ({ id, secret }))
    if (add || secrets.length === 0) secrets.push({ id: (this.#list.at(-1)?.id ?? 0) + 1, secret: random() })
    return { version: 1, life: newLife || this.#life === undefined ? random() : this.#life, round, secrets }
  }

  /** The store has this now. @param written number of our commit; without it, somebody before us wrote it */
  take({ life, round, secrets }: SenderRecord, written?: number): void {
    const known = new Map(this.#list.map((own) => [own.secret, own]))
    this.#life = life
    this.#round = round
    this.#list = secrets.map((each) => known.get(each.secret) ?? { ...each, fresh: written !== undefined, told: written ?? 0 })
  }

  clear(): void {
    this.#life = undefined
    this.#round = 0
    this.#list = []
  }
}

export interface OwnChange {
  round?: number
  /** Of the states that this host receives with, some are lost. */
  newLife?: boolean
  /** One more secret. */
  add?: boolean
  /** Ids of those that nobody needs any more. */
  drop?: ReadonlySet<number>
}
