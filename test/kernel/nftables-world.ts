import { execFileSync } from 'node:child_process'
import type { FirewallObject } from '../../src/contracts/firewall.js'
import type { ObjectHandler } from '../../src/kernel/handler.js'
import { firewallHandlers } from '../../src/kernel/nftables/index.js'
import type { Session } from '../../src/kernel/transaction/session.js'

type Handler = ObjectHandler<FirewallObject['kind']>

const handlerOf = ({ kind }: FirewallObject): Handler => firewallHandlers[kind] as Handler

/** Makes the objects in one batch. */
export function create(session: Session, objects: readonly FirewallObject[], replace = false): void {
  for (const object of objects) handlerOf(object).create(object, session, replace)
  session.flush()
}

export function remove(session: Session, objects: readonly FirewallObject[]): void {
  for (const object of objects) handlerOf(object).remove(object, session)
  session.flush()
}

export function change(session: Session, from: FirewallObject, to: FirewallObject): void {
  handlerOf(from).change(from, to, session)
  session.flush()
}

/** A named namespace of the test. */
export function makeNamespace(name: string): string {
  execFileSync('ip', ['netns', 'add', name])
  return `/run/netns/${name}`
}

export const removeNamespace = (at: string): unknown => execFileSync('ip', ['netns', 'delete', at.split('/').at(-1)!])

const inside = (at: string, command: string[]): string[] => (at === 'host' ? command : ['nsenter', `--net=${at}`, ...command])

export function run(at: string, ...command: string[]): string {
  const [program, ...args] = inside(at, command)
  return execFileSync(program!, args, { encoding: 'utf8', stdio: 'pipe' })
}

export function nft(at: string, script: string): string {
  const [program, ...args] = inside(at, ['nft', '-f', '-'])
  return execFileSync(program!, args, { input: script, encoding: 'utf8', stdio: 'pipe' })
}

/** What nft says is there, without handles, and with elements in one order: that of a hash table is arbitrary. */
export function ruleset(at: string, ...what: string[]): unknown[] {
  const listed = JSON.parse(run(at, 'nft', '-j', 'list', ...(what.length === 0 ? ['ruleset'] : what))) as { nftables: unknown[] }
  return listed.nftables.slice(1).map(withoutHandles)
}

function withoutHandles(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutHandles)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([key]) => key !== 'handle')
  return Object.fromEntries(entries.map(([key, child]) => [key, inOrder(key, withoutHandles(child))]))
}

const inOrder = (key: string, value: unknown): unknown =>
  (key === 'set' || key === 'elem') && Array.isArray(value) ? value.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)) : value
