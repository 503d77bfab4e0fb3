/**
 * Address management in the most naive way, with loops over lists, on numbers below 65,536: IPv4 addresses 10.0.x.y and
 * IPv6 addresses fd00::xxxx. It is what the real one is compared with.
 */
export interface ModelPool {
  family: 4 | 6
  start: number
  size: number
  ranges: [number, number][]
  reserved: number[]
  serial: boolean
  last: number | undefined
  /** Its leases have been read since the driver started. */
  loaded: boolean
  /** By address. Newest last. */
  leases: Map<number, { owner: string; purpose: 'gateway' | 'static' | 'dynamic'; quarantined: boolean }>
}

export const bitsOfSize = (size: number): number => Math.log2(size)
export const lengthOf = ({ family, size }: Pick<ModelPool, 'family' | 'size'>): number => (family === 4 ? 32 : 128) - bitsOfSize(size)
export const addressText = (family: 4 | 6, number: number): string => {
  if (family === 4) return `10.0.${number >> 8}.${number & 255}`
  return number === 0 ? 'fd00::' : `fd00::${number.toString(16)}`
}
export const subnetText = (pool: Pick<ModelPool, 'family' | 'start' | 'size'>): string =>
  `${addressText(pool.family, pool.start)}/${lengthOf(pool)}`

export const overlap = (left: ModelPool, right: ModelPool): boolean =>
  left.family === right.family && left.start < right.start + right.size && right.start < left.start + left.size

export function unusable({ family, start, size }: ModelPool, address: number): boolean {
  if (size <= 2) return false
  return address === start || (family === 4 && address === start + size - 1)
}

/** What a dynamic request gives, or undefined. */
export function dynamicAddress(pool: ModelPool): number | undefined {
  const candidates: number[] = []
  for (let address = pool.start; address < pool.start + pool.size; address++) {
    if (pool.ranges.some(([first, last]) => address >= first && address <= last)) candidates.push(address)
  }
  const { last } = pool
  const ordered = pool.serial && last !== undefined ? [...candidates.filter((address) => address > last), ...candidates] : candidates
  return ordered.find((address) => isFree(pool, address))
}

export function gatewayAddress(pool: ModelPool): number | undefined {
  for (let address = pool.start; address < pool.start + pool.size; address++) if (isFree(pool, address)) return address
  return undefined
}

export const isFree = (pool: ModelPool, address: number): boolean =>
  !unusable(pool, address) && !pool.reserved.includes(address) && !pool.leases.has(address)

/** A driver that reads the leases takes the newest dynamic one for the last, if it does not know better. */
export function read(pool: ModelPool): void {
  pool.last ??= [...pool.leases].filter(([, { purpose }]) => purpose === 'dynamic').at(-1)?.[0]
  pool.loaded = true
}

export function freeCount(pool: ModelPool): number {
  let count = 0
  for (let address = pool.start; address < pool.start + pool.size; address++) {
    if (isFree(pool, address) && pool.ranges.some(([first, last]) => address >= first && address <= last)) count++
  }
  return count
}
