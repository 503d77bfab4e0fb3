/** The nearest nft(8) command, for error messages and plans. */
import type { BaseChain, FirewallElement, FirewallObject, SetShape, SetType } from '../../contracts/firewall.js'
import type { Verdict } from '../../contracts/firewall-rules.js'
import type { KeyPart } from '../../contracts/firewall-types.js'

type Action = 'create' | 'change' | 'delete'

export function describeFirewall(action: Action, object: FirewallObject): string {
  const verb = action === 'delete' ? 'delete' : 'add'
  switch (object.kind) {
    case 'nft-table':
      return `nft ${verb} table ${object.family} ${object.name}`
    case 'nft-chain': {
      const name = `${object.family} ${object.table} ${object.name}`
      if (action === 'change') return `nft flush chain ${name} and add ${object.rules?.length ?? 0} rules`
      return `nft ${verb} chain ${name}${action === 'create' && object.base !== undefined ? ` { ${baseText(object.base)} }` : ''}`
    }
    case 'nft-set': {
      const word = object.data === undefined ? 'set' : 'map'
      return `nft ${verb} ${word} ${object.family} ${object.table} ${object.name}${action === 'delete' ? '' : ` { ${shapeText(object)} }`}`
    }
    case 'nft-element':
      return `nft ${verb} element ${object.family} ${object.table} ${object.set.name} { ${elementText(action, object)} }`
  }
}

function baseText({ type, hook, priority, policy, device }: BaseChain): string {
  return `type ${type} hook ${hook}${device === undefined ? '' : ` device ${device}`} priority ${priority};${policy === undefined ? '' : ` policy ${policy};`}`
}

function shapeText({ key, data, flags }: SetShape): string {
  const types = (list: readonly SetType[]): string => list.map(typeText).join(' . ')
  const right = data === undefined ? '' : ` : ${data === 'verdict' ? data : types(data)}`
  return `type ${types(key)}${right};${flags === undefined || flags.length === 0 ? '' : ` flags ${flags.join(',')};`}`
}

function typeText(type: SetType): string {
  if (typeof type === 'string') return type
  if ('payload' in type) return `@${type.payload.base},${type.payload.offset},${type.payload.length}`
  return 'numgen' in type ? `numgen ${type.numgen.mode} mod ${type.numgen.mod}` : 'integer'
}

function elementText(action: Action, { key, data, verdict, comment }: FirewallElement): string {
  const text = key.map(partText).join(' . ')
  if (action === 'delete') return text
  const note = comment === undefined ? '' : ` comment "${comment}"`
  const value = verdict === undefined ? data?.map(partText).join(' . ') : verdictText(verdict)
  return `${text}${note}${value === undefined ? '' : ` : ${value}`}`
}

const partText = (part: KeyPart): string => (typeof part === 'object' ? part.range.join('-') : String(part))

function verdictText(verdict: Verdict): string {
  const [word, target] = Object.entries(verdict)[0] ?? []
  return typeof target === 'string' ? `${word} ${target}` : String(word)
}
