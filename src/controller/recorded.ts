import type { Core } from './core.js'

/** What all objects of a controller say of themselves, by their records. */
export abstract class Recorded<R extends { id: string; name: string; created: string; labels: Record<string, string> }> {
  /** @internal */
  readonly core: Core
  /** @internal */
  record: R

  /** @internal */
  constructor(core: Core, record: R) {
    this.core = core
    this.record = record
  }

  get id(): string {
    return this.record.id
  }
  get name(): string {
    return this.record.name
  }
  get created(): Date {
    return new Date(this.record.created)
  }
  get labels(): Readonly<Record<string, string>> {
    return this.record.labels
  }
}
