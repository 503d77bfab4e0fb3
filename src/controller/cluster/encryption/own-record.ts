import type { Cluster } from '../cluster.js'
import { OwnSecrets, type OwnChange } from './own-secrets.js'
import { senderKey } from './records.js'

/** This host's secrets, and their record in the store: one changes with the other. */
export class OwnRecord {
  readonly secrets = new OwnSecrets()
  readonly #cluster: Cluster
  readonly #told: () => void
  #wish: OwnChange | undefined
  #telling: Promise<void> | undefined
  #stay = 0

  /** @param told the store has other secrets of this host now */
  constructor(cluster: Cluster, told: () => void) {
    this.#cluster = cluster
    this.#told = told
  }

  /** Changes the secrets as soon as the store can be told; what comes meanwhile is told together. */
  want(change: OwnChange): void {
    this.#note(change)
    this.#cluster.orLater(() => this.tell()).catch((error: unknown) => this.#cluster.failed(error))
  }

  /** Tells the store what is wanted. @throws CnmError ERR_CNM_CLUSTER_UNREACHABLE: it is still wanted */
  tell(): Promise<void> {
    this.#telling ??= this.#tellEach().finally(() => (this.#telling = undefined))
    return this.#telling
  }

  /** Forgets everything, what is wanted too. */
  clear(): void {
    this.#stay++
    this.#wish = undefined
    this.secrets.clear()
  }

  async #tellEach(): Promise<void> {
    const stay = this.#stay
    for (let wish; (wish = this.#wish) !== undefined;) {
      this.#wish = undefined
      const record = this.secrets.change(wish)
      const key = senderKey(this.#cluster.node.name)
      try {
        const versions = await this.#cluster.store.commit([{ put: key, value: record }])
        if (this.#stay === stay) this.secrets.take(record, versions.get(key))
      } catch (error) {
        if (this.#stay === stay) this.#note(wish)
        throw error
      }
      if (this.#stay === stay) this.#told()
    }
  }

  #note({ drop, ...change }: OwnChange): void {
    const before = this.#wish ?? {}
    this.#wish = {
      round: Math.max(change.round ?? this.secrets.round, before.round ?? 0),
      newLife: change.newLife === true || before.newLife === true,
      add: change.add === true || before.add === true,
      drop: new Set([...(before.drop ?? []), ...(drop ?? [])]),
    }
  }
}
