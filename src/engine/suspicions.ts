import type { KernelObject, KernelObjectKind, Place } from '../contracts/kernel-objects.js'
import type { Operation } from '../contracts/operations.js'
import { differingFields } from './differing-fields.js'
import type { Engine } from './engine.js'
import { identity, type Identity } from './identity.js'

/** News of the kernel, as its events tell them. */
export type News =
  | { kind: KernelObjectKind; action: 'added' | 'removed'; at: Place; link?: string; object?: KernelObject }
  | { kind: 'nftables'; at: Place; own: boolean }
  | { kind: 'overrun' }
  | { kind: 'namespace'; at: Place }
  | { kind: 'failed' }

/** Which objects of a namespace: those of one kind, all of the firewall, or all others. */
export type Scope = KernelObjectKind | 'firewall' | 'others'

/** With these, the kernel drops others without a word: routes over a link that went down, or from an address that went. */
const TAKES_ALONG = new Set<KernelObjectKind>(['link', 'address', 'namespace'])

/**
 * Where the kernel may not hold what is wanted, after what was heard. Of each object the last news counts, so that what
 * the engine itself does raises no suspicion: in the end, everything is as it is wanted.
 */
export class Suspicions {
  readonly #engine: Engine
  readonly #news = new Map<Identity, { kind: KernelObjectKind; at: Place; object: KernelObject | undefined }>()
  readonly #places = new Map<Place, Set<Scope>>()

  constructor(engine: Engine) {
    this.#engine = engine
  }

  /** Returns whether there is something to look at. */
  note(news: Iterable<News>): boolean {
    for (const each of news) this.#note(each)
    return this.#news.size + this.#places.size > 0
  }

  /** It has to be looked, whatever was heard. */
  suspect(at: Place, scopes: readonly Scope[] = ['firewall', 'others']): void {
    if (isEmpty(this.#engine.wanted.at(at))) return
    const known = this.#places.get(at) ?? new Set<Scope>()
    for (const scope of scopes) known.add(scope)
    this.#places.set(at, known)
  }
  suspectAll(): void {
    for (const place of this.#engine.wanted.places()) this.suspect(place)
  }
  /** A failed transaction may have been undone in part only. */
  suspectFailed(operations: readonly Operation[]): void {
    for (const operation of operations) {
      const object = operation.do === 'change' ? operation.to : operation.object
      if ('at' in object) this.suspect(object.at)
    }
  }

  /** What has to be compared, by namespace. */
  take(): Map<Place, (object: KernelObject) => boolean> {
    for (const [id, { kind, at, object }] of this.#news) {
      const wanted = this.#engine.wanted.object(id)
      if (wanted === undefined || (object !== undefined && differingFields(wanted, object).length === 0)) continue
      this.suspect(at, [TAKES_ALONG.has(kind) ? 'others' : kind])
    }
    this.#news.clear()
    const taken = new Map([...this.#places].map(([at, scopes]) => [at, (object: KernelObject) => matches(scopes, object)]))
    this.#places.clear()
    return taken
  }

  #note(news: News): void {
    if (news.kind === 'overrun') this.suspectAll()
    else if (news.kind === 'namespace') this.suspect(news.at)
    else if (news.kind === 'nftables') {
      if (!news.own) this.suspect(news.at, ['firewall'])
    } else if (news.kind !== 'failed') this.#noteObject(news)
  }

  #noteObject({ kind, action, at, link, object }: Extract<News, { action: string }>): void {
    const id = kind === 'link' && link !== undefined ? `${at} link ${link}` : object === undefined ? undefined : identity(object)
    if (id === undefined || !this.#engine.wanted.has(id)) return
    this.#news.set(id, { kind, at, object: action === 'added' ? object : undefined })
  }
}

function matches(scopes: ReadonlySet<Scope>, { kind }: KernelObject): boolean {
  return scopes.has(kind) || scopes.has(kind.startsWith('nft-') ? 'firewall' : 'others')
}

function isEmpty(items: Iterable<unknown>): boolean {
  for (const _ of items) return false
  return true
}
