import { readFile } from 'node:fs/promises'

const RANGE = '/proc/sys/net/ipv4/ip_local_port_range'
const RESERVED = '/proc/sys/net/ipv4/ip_local_reserved_ports'
/** Where the kernel does not say: the dynamic ports of RFC 6335. */
const FALLBACK: [number, number] = [49152, 65535]
/** How many places are tried in one go. */
const TRIES = 64

/** Free ports are looked for in the range that the kernel itself takes from, one after the other, around and around. */
export class EphemeralPorts {
  readonly #next = new Map<string, number>()

  /** First ports of `count` in a row, in the order in which to try them, in groups; ends when the whole range was offered. */
  async *candidates(protocol: string, count: number): AsyncGenerator<number[]> {
    const { first, last, reserved } = await readRange()
    const places = last - first + 2 - count
    if (places < 1) return
    const start = Math.min(Math.max((this.#next.get(protocol) ?? first) - first, 0), places - 1)
    let group: number[] = []
    for (let step = 0; step < places; step++) {
      const port = first + ((start + step) % places)
      if (meets(port, count, reserved)) continue
      group.push(port)
      if (group.length < TRIES) continue
      yield group
      group = []
    }
    if (group.length > 0) yield group
  }

  /** This one was taken: the next search starts after it. */
  taken(protocol: string, first: number, count: number): void {
    this.#next.set(protocol, first + count)
  }
}

function meets(port: number, count: number, reserved: ReadonlySet<number>): boolean {
  if (reserved.size === 0) return false
  for (let offset = 0; offset < count; offset++) if (reserved.has(port + offset)) return true
  return false
}

async function readRange(): Promise<{ first: number; last: number; reserved: Set<number> }> {
  const [range, reserved] = await Promise.all([RANGE, RESERVED].map((path) => readFile(path, 'utf8').catch(() => '')))
  const [first = FALLBACK[0], last = FALLBACK[1]] = (/^(\d+)\s+(\d+)/.exec(range ?? '') ?? []).slice(1).map(Number)
  return { first, last, reserved: parsePortList(reserved ?? '') }
}

/** `8080,9000-9010`, as the kernel writes it. */
export function parsePortList(text: string): Set<number> {
  const ports = new Set<number>()
  for (const part of text.trim().split(',')) {
    const [first, last = first] = part.split('-').map(Number)
    if (part === '' || first === undefined || last === undefined) continue
    for (let port = first; port <= last; port++) ports.add(port)
  }
  return ports
}
