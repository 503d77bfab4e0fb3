import type { NodeView, PairKey, PairView } from '../../../contracts/network-driver.js'
import { deriveKey, type Direction } from './derive.js'
import type { OwnSecret } from './own-secrets.js'
import type { SenderRecord } from './records.js'

/** What two hosts know of each other. */
export interface BothSides {
  node: NodeView
  /** This host. */
  address: string
  life: string
  own: readonly OwnSecret[]
  other: SenderRecord
  /** Up to which commit the other host has put into its kernel what others told. */
  acknowledged: number
}

export interface KeyStore {
  keep(key: string): string
  useOf(key: string): 'unused' | 'held' | 'gone'
}

export interface Pair {
  view: PairView
  /** Of this host's secrets, the one that it sends with: undefined when none may be used. */
  sending: number | undefined
}

/**
 * The keys between this host and another. For sending: all that the other host can receive with (the kernel takes the
 * newest), or while it has said nothing, the oldest, which it is most likely to have. Not those whose state was here and is
 * gone, nor those of an earlier process that may have been.
 */
export function pairOf({ node, address, life, own, other, acknowledged }: BothSides, keys: KeyStore): Pair {
  const key = (secret: string, direction: Direction): PairKey => {
    const { spi, key } = deriveKey(secret, direction)
    return { spi, key: keys.keep(key) }
  }
  const usable = own.flatMap(({ id, secret, fresh, told }) => {
    const derived = key(secret, { from: address, to: node.address, life: other.life })
    const use = keys.useOf(derived.key)
    return use === 'held' || (use === 'unused' && fresh) ? [{ id, told, derived }] : []
  })
  const received = usable.filter(({ told }) => told <= acknowledged)
  const chosen = received.length > 0 ? received : usable.slice(0, 1)
  return {
    view: {
      node,
      out: chosen.map(({ derived }) => derived),
      in: other.secrets.map(({ secret }) => key(secret, { from: node.address, to: address, life })),
    },
    sending: chosen.at(-1)?.id,
  }
}

/** Whether one of the keys that this host receives with has the SPI of another host's: the kernel takes each but once. */
export function hasTakenSpi({ view }: Pair, node: string, pairs: ReadonlyMap<string, Pair>): boolean {
  const spis = new Set(view.in.map(({ spi }) => spi))
  for (const [other, pair] of pairs) if (other !== node && pair.view.in.some(({ spi }) => spis.has(spi))) return true
  return false
}
