import { execFile } from 'node:child_process'
import { existsSync, readFileSync, readdirSync, readlinkSync } from 'node:fs'
import { promisify } from 'node:util'
import { findTool } from './tools.js'

/** Runs a program in the network namespace at `netns` (default: that of this process). @returns its output, '' when it fails */
async function ask(netns: string | undefined, program: string, args: string[]): Promise<string> {
  const found = findTool(program) ?? program
  const command = netns === undefined ? [found, ...args] : ['nsenter', `--net=${netns}`, found, ...args]
  try {
    return (await promisify(execFile)(command[0]!, command.slice(1), { maxBuffer: 1 << 28 })).stdout
  } catch (error) {
    // XFRM and bridges are missing from some kernels: then there is nothing to count.
    if ((error as { code?: unknown }).code === 'ENOENT') throw error
    return ''
  }
}

/** What changes by itself while nothing is made or removed. */
const VOLATILE = new Set([
  ...[
    'valid_life_time',
    'preferred_life_time',
    'expires',
    'operstate',
    'promiscuity',
    'allmulti',
    'metainfo',
    'handle',
    'packets',
    'bytes',
  ],
  ...[
    'hello_timer',
    'forward_delay_timer',
    'hold_timer',
    'message_age_timer',
    'tcn_timer',
    'topology_change_timer',
    'gc_timer',
    'used',
    'probes',
    'updated',
    'topology_change_detected',
    'tentative',
  ],
])
const VOLATILE_FLAGS = new Set(['LOWER_UP', 'NO-CARRIER', 'linkdown', 'dead'])

type Json = { [key: string]: unknown }

function stable(value: unknown): unknown {
  if (Array.isArray(value)) return value.filter((item) => !VOLATILE_FLAGS.has(String(item))).map(stable)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([key]) => !VOLATILE.has(key))
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, inner]) => [key, stable(inner)]))
}

const lines = (objects: unknown[]): string[] => objects.map((object) => JSON.stringify(stable(object)))
const parse = (text: string): Json[] =>
  text.trim() === '' ? [] : (JSON.parse(text) as Json[]).filter((one) => Object.keys(one).length > 0)

export async function links(netns?: string): Promise<string[]> {
  if (findTool('ip') === undefined)
    return readProc('dev', netns)
      .slice(2)
      .map((line) => line.trim().split(':')[0]!)
  return lines(parse(await ask(netns, 'ip', ['-j', '-d', 'link', 'show'])))
}

export async function addresses(netns?: string): Promise<string[]> {
  if (findTool('ip') === undefined)
    return [...readProc('if_inet6', netns), ...readProc('fib_trie', netns).filter((line) => line.includes('--'))]
  const found = parse(await ask(netns, 'ip', ['-j', 'addr', 'show']))
  return found.flatMap((link) => lines((link.addr_info as Json[]).map((address) => ({ link: link.ifname, ...address }))))
}

export async function routes(netns?: string): Promise<string[]> {
  if (findTool('ip') === undefined) return [...readProc('route', netns).slice(1), ...readProc('ipv6_route', netns)]
  const kinds = [
    ['route', 'show', 'table', 'all'],
    ['-6', 'route', 'show', 'table', 'all'],
    ['rule'],
    ['-6', 'rule'],
    ['neigh', 'show', 'nud', 'permanent'],
  ]
  const found = await Promise.all(kinds.map((args) => ask(netns, 'ip', ['-j', ...args])))
  return [...new Set(found.flatMap((text) => lines(parse(text))))]
}

/** Forwarding entries of bridges and VXLANs that somebody set (learned ones come and go). */
export async function forwarding(netns?: string): Promise<string[]> {
  if (findTool('bridge') === undefined) return []
  const entries = parse(await ask(netns, 'bridge', ['-j', 'fdb', 'show']))
  return lines(entries.filter((entry) => entry.state === 'permanent' || entry.state === 'static'))
}

/** Tables, chains, rules, sets and elements. `undefined`: there is no nft to ask. */
export async function firewall(netns?: string): Promise<string[] | undefined> {
  if (findTool('nft') === undefined) return undefined
  const text = await ask(netns, 'nft', ['-j', 'list', 'ruleset'])
  return text === '' ? [] : lines((JSON.parse(text) as { nftables: Json[] }).nftables.filter((item) => item.metainfo === undefined))
}

export async function encryption(netns?: string): Promise<string[]> {
  if (findTool('ip') === undefined) return []
  const found = await Promise.all([ask(netns, 'ip', ['xfrm', 'state']), ask(netns, 'ip', ['xfrm', 'policy'])])
  return found.flatMap((text) => text.split(/\n(?=\S)/)).filter((text) => text.trim() !== '')
}

/** Whoever first makes a named namespace, `ip netns` or libcnm, makes this folder a shared mount, which then stays. */
const NAMESPACE_FOLDER = ' /run/netns'

/** Mounts of this process: source, target and type. */
export function mounts(): string[] {
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').trim().split('\n')
  return lines.map(describeMount).filter((mount) => !mount.endsWith(NAMESPACE_FOLDER))
}

function describeMount(line: string): string {
  // id parent device root target options ... - type source ...
  const [before, after] = line.split(' - ') as [string, string]
  return `${after.split(' ').slice(0, 2).join(' ')} ${before.split(' ').slice(3, 5).join(' ')}`
}

export function namespaces(): string[] {
  return existsSync('/run/netns') ? readdirSync('/run/netns') : []
}

/**
 * What the descriptors of this process refer to; sockets and pipes without their number, so that equal ones can be
 * counted (network namespaces too, and those of the hostname: as an ordinary user every kernel thread has one). Without the one by which the event loop watches folders: it is opened with the first, and never closed.
 */
export function descriptors(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`).replace(/^(socket|pipe|net|uts):\[\d+\]$/, '$1')
      return target === 'anon_inode:inotify' ? [] : [target]
    } catch {
      return [] // the one that listed the folder
    }
  })
}

/** Children of this process, by name. */
export function processes(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        // pid (comm) state ppid ...
        const [, name, parent] = /^\d+ \((.*)\) \S (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))!
        return Number(parent) === process.pid ? [name!] : []
      } catch {
        return [] // ended meanwhile
      }
    })
}

function readProc(name: string, netns: string | undefined): string[] {
  if (netns !== undefined) throw new Error('a census of another namespace needs ip')
  return readFileSync(`/proc/self/net/${name}`, 'utf8').trim().split('\n')
}
