import type { Verdict } from '../../contracts/firewall-rules.js'
import type { KernelVerdict } from './kernel-expressions.js'
import { checkName } from './names.js'
import { onlyKeys, refusal } from './refusal.js'

/** linux/netfilter.h NF_*, nf_tables.h enum nft_verdicts */
const CODES = { drop: 0, accept: 1, continue: -1, jump: -3, goto: -4, return: -5 } as const
type Word = keyof typeof CODES

export const isVerdict = (value: object): value is Verdict => Object.keys(value).some((key) => Object.hasOwn(CODES, key))

/** @param field path to the verdict, empty when it is a statement of its own */
export function encodeVerdict(verdict: Verdict, field: string): KernelVerdict {
  if (typeof verdict !== 'object' || verdict === null) throw refusal(field, 'a verdict is needed')
  const word = Object.keys(verdict)[0]
  if (word === undefined || !Object.hasOwn(CODES, word)) throw refusal(field, `${JSON.stringify(verdict)} is not a verdict`)
  const path = field === '' ? word : `${field}.${word}`
  onlyKeys(verdict, [word], field)
  const code = CODES[word as Word]
  const chain = 'jump' in verdict ? verdict.jump : 'goto' in verdict ? verdict.goto : undefined
  if (chain !== undefined) return { code, chain: checkName(chain, path) }
  if ((verdict as unknown as Record<string, unknown>)[word] !== true) throw refusal(path, 'must be true')
  return { code }
}

/** `undefined` for verdicts that this vocabulary has no word for (queue). */
export function decodeVerdict({ code, chain }: KernelVerdict): Verdict | undefined {
  switch (code) {
    case CODES.accept:
      return { accept: true }
    case CODES.drop:
      return { drop: true }
    case CODES.continue:
      return { continue: true }
    case CODES.return:
      return { return: true }
    case CODES.jump:
      return chain === undefined ? undefined : { jump: chain }
    case CODES.goto:
      return chain === undefined ? undefined : { goto: chain }
    default:
      return undefined
  }
}
