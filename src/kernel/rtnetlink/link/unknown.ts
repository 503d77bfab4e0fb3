/**
 * Attributes of a link that libcnm has no name for travel as they are, unless the kernel only reports them. What is at
 * its usual value is left out: a link made anew has it again.
 */

/** Named by the codec (linux/if_link.h). */
const NAMED = [1, 3, 4, 5, 10, 13, 18, 19, 20, 26, 27, 28, 29, 37, 45, 46, 49]

/**
 * Only reported, or not of the link itself: broadcast, qdisc, statistics, cost, priority, wireless, port attributes, map,
 * weight, operational state, virtual functions, promiscuity, queues, carrier, physical ids, padding, XDP, event, limits of
 * the device, other names, permanent address, parents of hardware, devlink, DPLL, pacing horizon, immutability, rooms.
 */
const REPORTED = [
  2, 6, 7, 8, 9, 11, 12, 14, 15, 16, 21, 22, 23, 24, 25, 30, 31, 32, 33, 34, 35, 36, 38, 42, 43, 44, 47, 48, 50, 51, 52, 53, 54, 55, 56, 57,
  59, 60, 61, 62, 65, 66, 67, 68, 69,
]

const LEFT_OUT: ReadonlySet<number> = new Set([...NAMED, ...REPORTED])

/** Usual values: IFLA_LINKMODE, IFLA_PROTO_DOWN, and the greatest sizes of GSO and GRO (segments, bytes, bytes of IPv4). */
const USUAL: Readonly<Record<number, string>> = {
  17: '00',
  39: '00',
  40: hex32(65535),
  41: hex32(65536),
  58: hex32(65536),
  63: hex32(65536),
  64: hex32(65536),
}

export const isNamed = (attribute: number): boolean => LEFT_OUT.has(attribute)

/** Whether the attribute is worth keeping. */
export const isUnusual = (attribute: number, hex: string): boolean => USUAL[attribute] !== hex

function hex32(value: number): string {
  return Buffer.from(new Uint32Array([value]).buffer).toString('hex')
}
