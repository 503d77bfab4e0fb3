import { CnmError, type ErrorCode } from '../contracts/errors.js'
import { matcher, type FilterTable, type Filters } from './filters.js'

export interface Named {
  readonly id: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly created: Date
}

/**
 * The objects of one kind, by id and by name. A look-up walks over all objects only for an id prefix; names are
 * reserved before the object exists, so that of two creations at once exactly one succeeds.
 */
export class Collection<T extends Named> implements Iterable<T> {
  readonly #what: string
  readonly #exists: ErrorCode
  readonly #missing: ErrorCode
  readonly #filters: FilterTable<T>
  readonly #byId = new Map<string, T>()
  readonly #byName = new Map<string, T | undefined>()

  constructor(what: string, codes: { exists: ErrorCode; missing: ErrorCode }, filters: FilterTable<T>) {
    this.#what = what
    this.#exists = codes.exists
    this.#missing = codes.missing
    this.#filters = filters
  }

  get size(): number {
    return this.#byId.size
  }
  [Symbol.iterator](): IterableIterator<T> {
    return this.#byId.values()
  }

  /**
   * By full id, by name, or by a prefix of the id that fits only one.
   * @throws CnmError ERR_CNM_AMBIGUOUS when a prefix fits several
   */
  find(key: string): T | undefined {
    const exact = this.#byId.get(key) ?? this.#byName.get(key)
    if (exact !== undefined || !/^[0-9a-f]{1,63}$/.test(key)) return exact
    let found: T | undefined
    for (const [id, object] of this.#byId) {
      if (!id.startsWith(key)) continue
      if (found !== undefined) throw new CnmError('ERR_CNM_AMBIGUOUS', `${this.#what} ${key}: several ids begin like that`, { object: key })
      found = object
    }
    return found
  }

  /** @throws CnmError when there is none, or ERR_CNM_AMBIGUOUS */
  get(key: string): T {
    const found = this.find(key)
    if (found === undefined) throw new CnmError(this.#missing, `${this.#what} ${key} not found`, { object: `${this.#what} ${key}` })
    return found
  }

  /** In order of creation. @throws CnmError ERR_CNM_INVALID_ARGUMENT for an unknown filter */
  list(options: { filters?: Filters } = {}): T[] {
    return [...this.#byId.values()].filter(matcher(options.filters, this.#filters))
  }

  /** Takes the name until {@link add} or {@link release}. @throws CnmError when it is taken */
  reserve(name: string): void {
    if (this.#byName.has(name)) {
      throw new CnmError(this.#exists, `${this.#what} ${name} exists already`, { object: `${this.#what} ${name}`, field: 'name' })
    }
    this.#byName.set(name, undefined)
  }
  release(name: string): void {
    if (this.#byName.get(name) === undefined) this.#byName.delete(name)
  }
  add(object: T): void {
    this.#byId.set(object.id, object)
    // Of two with one name (one of them of the cluster, made while this host did not hear of it) the first keeps it.
    if (this.#byName.get(object.name) === undefined) this.#byName.set(object.name, object)
  }
  /** It has a new name, which was reserved. */
  renamed(object: T, before: string): void {
    this.#byName.delete(before)
    this.#byName.set(object.name, object)
  }
  remove(object: T): void {
    this.#byId.delete(object.id)
    if (this.#byName.get(object.name) === object) this.#byName.delete(object.name)
  }
}
