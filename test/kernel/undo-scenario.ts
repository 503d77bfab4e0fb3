import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import type { SetShape } from '../../src/contracts/firewall.js'
import type { KernelObject } from '../../src/contracts/kernel-objects.js'
import type { Operation } from '../../src/contracts/operations.js'

export const OLD = '/run/netns/undo-old'
export const NEW = '/run/netns/undo-new'
const MOUNTED = '/run/undo-mounted'
const UNMOUNTED = '/run/undo-unmounted'

const ip = (...args: string[]): string => execFileSync('ip', args, { encoding: 'utf8' })
const inOld = (...args: string[]): string => execFileSync('nsenter', [`--net=${OLD}`, ...args], { encoding: 'utf8' })

/** Whether bridges here filter by VLAN: not every kernel is built with it. */
export const vlans = attempt('ip link add uprobe type bridge vlan_filtering 1 && ip link delete uprobe')

function attempt(command: string): boolean {
  try {
    execFileSync('sh', ['-c', command], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

const FIREWALL = `
  table ip uold {
    map targets {
      type inet_service : ipv4_addr
      elements = { 80 : 10.0.0.2, 81 : 10.0.0.3 }
    }
    chain helper {
      ip saddr 192.0.2.9 drop comment "kept"
    }
    chain pre {
      type nat hook prerouting priority dstnat;
      tcp dport { 80, 81 } jump helper
      dnat to tcp dport map @targets
    }
  }
  table inet utheirs {
    set addresses {
      type ipv4_addr
      elements = { 192.0.2.1, 192.0.2.2 comment "second" }
    }
    map ports {
      type inet_service : verdict
      elements = { 80 : jump web, 443 : accept }
    }
    chain web {
      accept
    }
    chain loose {
      meta mark 7 drop
      ct state new log prefix "loose " accept
    }
    chain in {
      type filter hook input priority 5;
      tcp dport vmap @ports
    }
  }`

/** A little of everything, made by ip(8) and bridge(8): what the transaction finds, and what must be there after it failed. */
export function prepare(): void {
  ip('netns', 'add', 'undo-old')
  // Duplicate address detection goes on for seconds, and routes come with its end.
  for (const run of [(...args: string[]) => execFileSync(args[0]!, args.slice(1)), inOld]) {
    for (const which of ['all', 'default']) run('sh', '-c', `echo 0 > /proc/sys/net/ipv6/conf/${which}/accept_dad`)
  }
  ip('link', 'add', 'ubr', 'address', '02:00:00:00:00:01', 'type', 'bridge', ...(vlans ? ['vlan_filtering', '1'] : []))
  ip('link', 'set', 'ubr', 'up')
  ip('address', 'add', '10.30.0.1/24', 'dev', 'ubr')
  ip('address', 'add', '10.30.0.2/24', 'dev', 'ubr')
  ip('address', 'add', 'fd30::1/64', 'dev', 'ubr', 'nodad')
  ip('link', 'add', 'uveth', 'address', '02:00:00:00:00:02', 'mtu', '1400', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', 'undo-old')
  ip('link', 'set', 'uveth', 'master', 'ubr', 'up')
  inOld('ip', 'link', 'set', 'lo', 'up')
  inOld('ip', 'link', 'set', 'eth0', 'address', '02:00:00:00:00:03', 'up')
  inOld('ip', 'address', 'add', '10.30.0.9/24', 'dev', 'eth0')
  inOld('ip', 'route', 'add', 'default', 'via', '10.30.0.1', 'dev', 'eth0')
  ip('link', 'add', 'udown', 'address', '02:00:00:00:00:04', 'type', 'bridge')
  ip('link', 'set', 'udown', 'up')
  ip('address', 'add', '10.31.0.1/24', 'dev', 'udown')
  ip('address', 'add', 'fd31::1/64', 'dev', 'udown', 'nodad')
  ip('route', 'add', '10.99.0.0/16', 'via', '10.31.0.7', 'dev', 'udown')
  ip('route', 'add', '10.98.0.0/16', 'via', '10.30.0.7', 'dev', 'ubr', 'src', '10.30.0.2', 'metric', '7')
  ip('neighbour', 'add', '10.30.0.50', 'lladdr', '02:00:00:00:00:50', 'dev', 'ubr', 'nud', 'permanent')
  ip('neighbour', 'add', '10.30.0.51', 'lladdr', '02:00:00:00:00:51', 'dev', 'ubr', 'nud', 'permanent')
  ip('rule', 'add', 'fwmark', '30', 'table', '300', 'priority', '3000')
  ip('link', 'add', 'uvx', 'type', 'vxlan', 'id', '30', 'dstport', '4789', 'nolearning')
  ip('link', 'set', 'uvx', 'up')
  execFileSync('bridge', ['fdb', 'add', '02:00:00:00:00:60', 'dev', 'uvx', 'dst', '192.0.2.60', 'self'])
  if (vlans) execFileSync('bridge', ['vlan', 'add', 'vid', '30', 'dev', 'uveth'])
  ip('route', 'add', '10.96.0.0/16', 'via', '10.30.0.7', 'dev', 'ubr', 'src', '10.30.0.2')
  execFileSync('nft', ['-f', '-'], { input: FIREWALL })
  for (const folder of [MOUNTED, UNMOUNTED]) mkdirSync(folder)
  execFileSync('mount', ['-t', 'tmpfs', 'undo', MOUNTED])
}

const host = { at: 'host' } as const
const ours = { ...host, family: 'inet', table: 'unew' } as const
const theirs = { ...host, family: 'inet', table: 'utheirs' } as const
const ADDRESSES: SetShape = { name: 'addresses', key: ['ipv4_addr'] }
const PORTS: SetShape = { name: 'ports', key: ['inet_service'], data: 'verdict' }
const pair = { kind: 'link', type: 'veth', ...host, name: 'uveth', peer: { at: OLD, name: 'eth0' } } as const satisfies KernelObject
const create = (object: KernelObject, replace?: boolean): Operation => ({ do: 'create', object, ...(replace === true ? { replace } : {}) })
const remove = (object: KernelObject): Operation => ({ do: 'delete', object })

/** Each operation does something that has to be taken back in a way of its own. */
export const operations: Operation[] = [
  create({ kind: 'namespace', at: NEW }),
  create({ kind: 'link', type: 'existing', at: NEW, name: 'lo', up: true }),
  create({ kind: 'link', type: 'veth', ...host, name: 'unew', master: 'ubr', peer: { at: NEW, name: 'eth0' } }),
  create({ kind: 'address', at: NEW, link: 'eth0', address: '10.30.0.20/24' }),
  create({ kind: 'route', at: NEW, destination: 'default', gateway: '10.30.0.1', link: 'eth0' }),
  create({ kind: 'sysctl', at: NEW, path: 'net/ipv4/conf/eth0/arp_notify', value: '1' }),
  // the links that were there
  {
    do: 'change',
    from: { kind: 'link', type: 'bridge', ...host, name: 'ubr' },
    to: { kind: 'link', type: 'bridge', ...host, name: 'ubr', alias: 'ours', mtu: 1300, bridge: { ageingTime: 20000 } },
  },
  {
    do: 'change',
    from: { kind: 'link', type: 'bridge', ...host, name: 'udown' },
    to: { kind: 'link', type: 'bridge', ...host, name: 'udown', up: false },
  },
  create({ kind: 'link', type: 'existing', ...host, name: 'uvx', master: 'ubr', alias: 'claimed' }),
  create({ kind: 'bridge-port', ...host, link: 'uveth', hairpin: true, isolated: true }),
  // what is on them; the first address takes the second along, with it a route whose source that is, and neighbours
  remove({ kind: 'neighbour', ...host, link: 'ubr', address: '10.30.0.50', mac: '02:00:00:00:00:50' }),
  create({ kind: 'neighbour', ...host, link: 'ubr', address: '10.30.0.51', mac: '02:00:00:00:00:99' }, true),
  remove({ kind: 'route', ...host, destination: '10.98.0.0/16', gateway: '10.30.0.7', link: 'ubr', metric: 7, source: '10.30.0.2' }),
  remove({ kind: 'address', ...host, link: 'ubr', address: '10.30.0.1/24' }),
  create({ kind: 'address', ...host, link: 'ubr', address: '10.30.0.77/24' }),
  create({ kind: 'route', at: OLD, destination: 'default', gateway: '10.30.0.77', link: 'eth0' }, true),
  create({ kind: 'route', ...host, destination: '10.97.0.0/16', type: 'blackhole' }),
  create({ kind: 'neighbour', ...host, link: 'ubr', address: '10.30.0.52', mac: '02:00:00:00:00:52' }),
  create({ kind: 'fdb', ...host, link: 'uvx', mac: '02:00:00:00:00:61', destination: '192.0.2.61' }),
  remove({ kind: 'fdb', ...host, link: 'uvx', mac: '02:00:00:00:00:60', destination: '192.0.2.60' }),
  create({ kind: 'policy-rule', ...host, family: 4, priority: 3001, mark: 31, table: 301 }),
  remove({ kind: 'policy-rule', ...host, family: 4, priority: 3000, mark: 30, table: 300 }),
  ...(vlans
    ? [create({ kind: 'bridge-vlan', ...host, link: 'uveth', id: 31 }), remove({ kind: 'bridge-vlan', ...host, link: 'uveth', id: 30 })]
    : []),
  create({ kind: 'sysctl', ...host, path: 'net/ipv4/conf/ubr/rp_filter', value: '2' }),
  create({ kind: 'sysctl', ...host, path: 'net/ipv6/conf/ubr/disable_ipv6', value: '1' }),
  create({ kind: 'mount', target: UNMOUNTED, source: '/run/netns', flags: ['bind', 'ro'] }),
  remove({ kind: 'mount', target: MOUNTED, source: 'undo', type: 'tmpfs' }),
  // nftables: a table with all that is in it, somebody's set with its elements, changes in between, a table of our own
  remove({ kind: 'nft-table', ...host, family: 'ip', name: 'uold' }),
  create({ kind: 'nft-table', ...host, family: 'inet', name: 'unew' }),
  create({ kind: 'nft-set', ...ours, ...ADDRESSES }),
  create({ kind: 'nft-chain', ...ours, name: 'mark', rules: [{ statements: [{ counter: true }, { accept: true }], comment: 'ours' }] }),
  create({ kind: 'nft-element', ...ours, set: ADDRESSES, key: ['192.0.2.1'] }),
  remove({ kind: 'nft-element', ...theirs, set: PORTS, key: [80], verdict: { jump: 'web' } }),
  create({ kind: 'nft-element', ...theirs, set: PORTS, key: [81], verdict: { accept: true } }),
  create({ kind: 'nft-element', ...theirs, set: PORTS, key: [443], verdict: { drop: true } }, true),
  {
    do: 'change',
    from: { kind: 'nft-chain', ...theirs, name: 'web', rules: [{ statements: [{ accept: true }] }] },
    to: { kind: 'nft-chain', ...theirs, name: 'web', rules: [{ statements: [{ drop: true }] }] },
  },
  remove({ kind: 'nft-chain', ...theirs, name: 'loose' }),
  remove({ kind: 'nft-set', ...theirs, ...ADDRESSES }),
  // another link under the name of one that goes, and its namespace with it
  remove(pair),
  create({ ...pair, mtu: 1350, peer: { at: NEW, name: 'eth1' } }),
  remove({ kind: 'namespace', at: OLD }),
]

/** Kernel parameters of the host that the transaction touches, directly or not; no census shows them. */
export const PARAMETERS = [
  'net/ipv4/conf/ubr/rp_filter',
  'net/ipv6/conf/ubr/disable_ipv6',
  'net/ipv6/conf/ubr/mtu',
  'net/ipv6/conf/udown/disable_ipv6',
]
