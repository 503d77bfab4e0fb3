import type { KernelObject, KernelObjectKind, Place } from '../contracts/kernel-objects.js'

/** Reads the kernel. `undefined` for a namespace that is gone. */
export interface KernelReader {
  read(requests: readonly ReadRequest[]): Promise<(KernelObject[] | undefined)[]>
}

export interface ReadRequest {
  at: Place
  kinds: KernelObjectKind[]
  /** Sysctls to read, by path: there is no list of them. */
  sysctls: string[]
  /** Only these nftables tables, `inet cnm`. */
  tables: string[]
}

/** One request per namespace, for the kinds that are wanted there. */
export function readRequests(objects: Iterable<KernelObject>): ReadRequest[] {
  const requests = new Map<Place, { kinds: Set<KernelObjectKind>; sysctls: string[]; tables: Set<string> }>()
  for (const object of objects) {
    if (object.kind === 'mount') continue
    const request = requests.get(object.at) ?? { kinds: new Set(), sysctls: [], tables: new Set() }
    requests.set(object.at, request)
    if (object.kind === 'sysctl') request.sysctls.push(object.path)
    else request.kinds.add(object.kind)
    if (object.kind.startsWith('nft-') && 'family' in object) {
      request.tables.add(`${object.family} ${'table' in object ? object.table : 'name' in object ? object.name : ''}`)
    }
  }
  return [...requests].map(([at, { kinds, sysctls, tables }]) => ({ at, kinds: [...kinds], sysctls, tables: [...tables] }))
}
