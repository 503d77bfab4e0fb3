import type { SetUpdate, Statement } from '../../contracts/firewall-rules.js'
import { load, loadParts } from './compile-expression.js'
import { lookupVerdict } from './compile-lookup.js'
import { compileMangle } from './compile-mangle.js'
import { compileMatch } from './compile-match.js'
import { compileMasquerade, compileNat, compileRedirect, compileTproxy } from './compile-nat.js'
import { VERDICT, type KernelExpression } from './kernel-expressions.js'
import { encodeLog, encodeReject } from './log-and-reject.js'
import { checkName } from './names.js'
import { align, type Program } from './program.js'
import { onlyKeys, refusal, wholeNumber } from './refusal.js'
import { encodeStateful, isStateful } from './stateful-statements.js'
import { encodeVerdict, isVerdict } from './verdicts.js'

/** enum nft_dynset_ops */
export const DYNSET_OPS = { add: 0, update: 1, delete: 2 } as const
const HAS_EXPRESSIONS = 2

/** Writes down one statement; what it needs to know of the packet's protocols has been made sure of. */
export function compileStatement(program: Program, statement: Statement): void {
  const [word, ...others] = Object.keys(statement)
  if (word === undefined || others.length > 0)
    throw refusal('statement', `exactly one key is needed, not ${JSON.stringify(Object.keys(statement))}`)
  if (isVerdict(statement)) program.emit({ name: 'immediate', dreg: VERDICT, data: encodeVerdict(statement, '') })
  else if (isStateful(statement)) program.emit(encodeStateful(statement, word))
  else if ('match' in statement) compileMatch(program, statement.match, 'match')
  else if ('vmap' in statement) lookupVerdict(program, statement.vmap, 'vmap')
  else if ('log' in statement) program.emit(encodeLog(statement.log, 'log'))
  else if ('reject' in statement) program.emit(encodeReject(statement.reject, 'reject'))
  else if ('snat' in statement) compileNat(program, 'snat', statement.snat, 'snat')
  else if ('dnat' in statement) compileNat(program, 'dnat', statement.dnat, 'dnat')
  else if ('masquerade' in statement) compileMasquerade(program, statement.masquerade, 'masquerade')
  else if ('redirect' in statement) compileRedirect(program, statement.redirect, 'redirect')
  else if ('tproxy' in statement) compileTproxy(program, statement.tproxy, 'tproxy')
  else if ('mangle' in statement) compileMangle(program, statement.mangle, 'mangle')
  else if ('set' in statement) compileSetUpdate(program, statement.set, 'set')
  else if ('raw' in statement) compileRaw(program, statement.raw)
  else if ('notrack' in statement) {
    if (statement.notrack !== true) throw refusal('notrack', 'must be true')
    program.emit({ name: 'notrack' })
  } else throw refusal(word, 'there is no such statement')
}

function compileSetUpdate(program: Program, update: SetUpdate, field: string): void {
  onlyKeys(update, ['op', 'set', 'key', 'data', 'timeout', 'statements'], field)
  if (!Object.hasOwn(DYNSET_OPS, update.op)) throw refusal(`${field}.op`, 'must be add, update or delete')
  const { length } = loadParts(program, update.key, 0, `${field}.key`)
  const dataRegister = (length + 15) & ~15 // behind the key, where a register of 16 bytes begins
  if (update.data !== undefined) align(program, load(program, update.data, dataRegister / 4, `${field}.data`), `${field}.data`)
  const expressions = (update.statements ?? []).map((statement, i) => {
    if (!isStateful(statement)) throw refusal(`${field}.statements[${i}]`, 'must be a counter, limit, quota or ctCount')
    return encodeStateful(statement, `${field}.statements[${i}]`)
  })
  program.emit({
    name: 'dynset',
    set: checkName(update.set, `${field}.set`),
    op: DYNSET_OPS[update.op],
    keyRegister: 0,
    ...(update.data !== undefined && { dataRegister: dataRegister / 4 }),
    ...(update.timeout !== undefined && { timeout: BigInt(wholeNumber(update.timeout, Number.MAX_SAFE_INTEGER, `${field}.timeout`)) }),
    ...perElement(expressions),
  })
}

/** The kernel has an attribute for one statement, and another for several. */
function perElement(expressions: KernelExpression[]): { expression?: KernelExpression; flags?: number; expressions?: KernelExpression[] } {
  const [only] = expressions
  if (only === undefined) return {}
  return expressions.length === 1 ? { expression: only } : { flags: HAS_EXPRESSIONS, expressions }
}

function compileRaw(program: Program, raw: Extract<Statement, { raw: unknown }>['raw']): void {
  if (!Array.isArray(raw)) throw refusal('raw', 'a list is needed')
  raw.forEach(({ name, data }, i) => {
    if (typeof name !== 'string' || name === '') throw refusal(`raw[${i}].name`, 'is needed')
    if (typeof data !== 'string' || !/^([0-9a-f]{2})*$/.test(data)) throw refusal(`raw[${i}].data`, 'must be hex')
    program.emit({ name: 'unknown', kernelName: name, data: Buffer.from(data, 'hex') })
  })
}
