import type { BaseChain, FirewallChain, FirewallElement, FirewallObject, FirewallSet, SetFlag, SetShape } from '../../contracts/firewall.js'
import { asKernelElements } from './kernel-elements.js'
import { encodeElement, shapeLayout } from './encode-elements.js'
import { normalRule } from './normal-rule.js'
import { firewallElements, shapeOf } from './parse-elements.js'
import { within } from './refusal.js'

const FLAG_ORDER: readonly SetFlag[] = ['constant', 'interval', 'timeout', 'dynamic']

/**
 * The object as a listing of the kernel would give it: defaults left out, values, keys and rules written in one way.
 * Two objects mean the same when their normal forms are equal.
 * @throws CnmError ERR_CNM_INVALID_ARGUMENT when it cannot be written to the kernel
 */
export function normalFirewall<T extends FirewallObject>(object: T): T
export function normalFirewall(object: FirewallObject): FirewallObject {
  switch (object.kind) {
    case 'nft-table':
      return defined({ ...object })
    case 'nft-chain':
      return normalChain(object)
    case 'nft-set':
      return normalSet(object)
    case 'nft-element':
      return normalElement(object)
  }
}

function normalChain({ base, rules, ...rest }: FirewallChain): FirewallChain {
  return defined({
    ...rest,
    base: base && normalBase(base),
    rules: rules?.map((rule, i) => within(`rules[${i}]`, () => normalRule(rule, rest.family))),
  })
}

const normalBase = ({ policy, ...base }: BaseChain): BaseChain => defined({ ...base, policy: policy === 'drop' ? policy : undefined })

function normalSet(set: FirewallSet): FirewallSet {
  const { timeout, autoMerge, counter, policy, ...rest } = set
  return defined({
    ...rest,
    ...normalShape(set),
    timeout: timeout === 0 ? undefined : timeout,
    autoMerge: autoMerge === true || undefined,
    counter: counter === true || undefined,
    policy: policy === 'memory' ? policy : undefined,
  })
}

function normalShape(shape: SetShape & { timeout?: number }): SetShape {
  const flags = FLAG_ORDER.filter((flag) => shape.flags?.includes(flag) === true || (flag === 'timeout' && shape.timeout !== undefined))
  const { name, key, data, dataInterval } = shape
  return defined({ name, key, data, flags: flags.length === 0 ? undefined : flags, dataInterval: dataInterval === true || undefined })
}

function normalElement(element: FirewallElement): FirewallElement {
  const { at, family, table, comment, timeout } = element
  const set: FirewallSet = { kind: 'nft-set', at, family, table, ...normalShape(element.set) }
  const encoded = encodeElement(element, shapeLayout(element.set))
  const [first] = firewallElements(set, asKernelElements(encoded))
  return defined({ ...element, set: shapeOf(set), key: first!.element.key, data: first!.element.data, comment, timeout })
}

/** Without the keys that have no value. */
function defined<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T
}
