import type { Expression, FirewallRule, MapLookup, MatchRight, MetaKey, PayloadField, Statement } from '../../../src/contracts/index.js'

/** Words for the rules of this driver; each is named as nft(8) writes it. */

export const meta = (key: MetaKey): Expression => ({ meta: key })
export const payload = (field: PayloadField): Expression => ({ payload: field })
export const concat = (...parts: Expression[]): Expression => ({ concat: parts })

export const is = (left: Expression, right: MatchRight): Statement => ({ match: { left, op: '==', right } })
export const isNot = (left: Expression, right: MatchRight): Statement => ({ match: { left, op: '!=', right } })
/** The value is an element of the set of this name. */
export const isIn = (left: Expression, set: string): Statement => is(left, `@${set}`)
/** At least one of these states or bits. */
export const hasAny = (left: Expression, bits: string[]): Statement => ({ match: { left, op: 'in', right: bits } })

export const lookup = (map: string, key: Expression): MapLookup => ({ map, key })
/** The verdict that the map has for the key; the rule goes on where it has none. */
export const verdictOf = (map: string, key: Expression): Statement => ({ vmap: { key, map } })

export const accept: Statement = { accept: true }
export const drop: Statement = { drop: true }
export const leave: Statement = { return: true }
export const jump = (chain: string): Statement => ({ jump: chain })

export const rule = (comment: string, ...statements: Statement[]): FirewallRule => ({ statements, comment })
