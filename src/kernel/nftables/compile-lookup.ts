/** Look-ups in sets and maps: named ones, and those that belong to the rule alone. */
import type { Expression, MapLookup, Verdict } from '../../contracts/firewall-rules.js'
import type { KeyPart, Scalar } from '../../contracts/firewall-types.js'
import { loadParts } from './compile-expression.js'
import { encodeData, encodeKey } from './element-keys.js'
import { VERDICT } from './kernel-expressions.js'
import type { Part } from './key-layout.js'
import { checkName } from './names.js'
import { checkRegisters, type Program } from './program.js'
import { onlyKeys, refusal } from './refusal.js'
import { encodeVerdict } from './verdicts.js'

const INVERTED = 1
/** The kernel replaces `%d` by a free number. */
export const ANONYMOUS_SET = '__set%d'
export const ANONYMOUS_MAP = '__map%d'

type Item = KeyPart | KeyPart[]

/** Matches when the set has (or, inverted, lacks) the key. */
export function lookupSet(program: Program, left: Expression, set: string | Item[], inverted: boolean, field: string): void {
  const flags = inverted ? { flags: INVERTED } : {}
  if (typeof set === 'string') {
    loadParts(program, left, 0, `${field}.left`)
    program.emit({ name: 'lookup', set: checkName(set, `${field}.right`), sreg: 0, ...flags })
    return
  }
  if (!Array.isArray(set)) throw refusal(`${field}.right.set`, 'a list is needed')
  const interval = set.some(isInterval)
  const { parts } = loadParts(program, left, 0, `${field}.left`, { inPlace: true, networkOrder: interval })
  const elements = set.map((item, i) => encodeKey({ parts, interval }, asParts(item), `${field}.right.set[${i}]`))
  const setId = program.addSet({ key: parts, interval, elements })
  program.emit({ name: 'lookup', set: ANONYMOUS_SET, sreg: 0, setId, ...flags })
}

/** The verdict of a map decides about the packet. */
export function lookupVerdict(program: Program, vmap: { key: Expression; map: string | [Item, Verdict][] }, field: string): void {
  onlyKeys(vmap, ['key', 'map'], field)
  emitLookup(program, vmap, 0, VERDICT, 'verdict', field, (verdict, path) => encodeVerdict(verdict, path))
}

/** Puts what the map has for the key into `register`. @param data types that the user of the value expects */
export function lookupValue(program: Program, lookup: MapLookup, register: number, data: Part[], field: string): void {
  onlyKeys(lookup, ['key', 'map'], field)
  const encode = (value: Scalar | Scalar[], path: string): Uint8Array => encodeData(data, Array.isArray(value) ? value : [value], path)
  emitLookup(program, lookup, register, register, data, field, encode)
}

function emitLookup<D>(
  program: Program,
  { key, map }: { key: Expression; map: string | [Item, D][] },
  sreg: number,
  dreg: number,
  data: Part[] | 'verdict',
  field: string,
  encode: (data: D, path: string) => Uint8Array | ReturnType<typeof encodeVerdict>,
): void {
  if (typeof map === 'string') {
    loadParts(program, key, sreg, `${field}.key`)
    program.emit({ name: 'lookup', set: checkName(map, `${field}.map`), sreg, dreg })
    return
  }
  if (!Array.isArray(map)) throw refusal(`${field}.map`, 'a name or a list of pairs is needed')
  const interval = map.some((pair) => isInterval(pair[0]))
  const { parts, length } = loadParts(program, key, sreg, `${field}.key`, { inPlace: true, networkOrder: interval })
  checkRegisters(sreg, length, `${field}.key`)
  const elements = map.map(([item, value], i) => ({
    ...encodeKey({ parts, interval }, asParts(item), `${field}.map[${i}][0]`),
    data: encode(value, `${field}.map[${i}][1]`),
  }))
  const setId = program.addSet({ key: parts, data, interval, elements })
  program.emit({ name: 'lookup', set: ANONYMOUS_MAP, sreg, dreg, setId })
}

const asParts = (item: Item): KeyPart[] => (Array.isArray(item) ? item : [item])

const isInterval = (item: Item): boolean =>
  asParts(item).some((part) => typeof part === 'object' || (typeof part === 'string' && /[^*]\*$|^[0-9a-f.:]+\/\d+$/i.test(part)))
