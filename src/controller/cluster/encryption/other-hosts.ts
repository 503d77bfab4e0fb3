import type { StoreEntry } from '../../../contracts/store.js'
import { lastPart } from '../records.js'
import { isSenderKey, readAck, readSender, type SenderRecord } from './records.js'

/** What the other hosts have said of their keys. */
export class OtherHosts {
  readonly #records = new Map<string, { record: SenderRecord; version: number }>()
  readonly #acknowledged = new Map<string, number>()

  record(node: string): SenderRecord | undefined {
    return this.#records.get(node)?.record
  }
  /** In which commit of the store it was said. */
  version(node: string): number | undefined {
    return this.#records.get(node)?.version
  }
  /** Up to which commit the host receives with what others said. */
  acknowledged(node: string): number {
    return this.#acknowledged.get(node) ?? 0
  }
  /** The highest there is. */
  get round(): number {
    let round = 0
    for (const { record } of this.#records.values()) round = Math.max(round, record.round)
    return round
  }

  put(entry: StoreEntry): void {
    const node = lastPart(entry.key)
    if (isSenderKey(entry.key)) this.#records.set(node, { record: readSender(entry), version: entry.version })
    else this.#acknowledged.set(node, readAck(entry).applied)
  }
  delete(key: string): void {
    if (isSenderKey(key)) this.#records.delete(lastPart(key))
    else this.#acknowledged.delete(lastPart(key))
  }
  clear(): void {
    this.#records.clear()
    this.#acknowledged.clear()
  }
}
