import type { Expression, FirewallFamily, Match, MatchRight, Statement } from '../../src/contracts/firewall.js'

/** A rule in nft's words and in ours. */
export interface Case {
  family: FirewallFamily
  nft: string
  statements: Statement[]
}

const is = (left: Expression, right: MatchRight, op: Match['op'] = '=='): Statement => ({ match: { left, op, right } })
const payload = (name: Extract<Extract<Expression, { payload: unknown }>['payload'], string>): Expression => ({ payload: name })
const meta = (name: Extract<Expression, { meta: unknown }>['meta']): Expression => ({ meta: name })
const ct = (name: Extract<Expression, { ct: unknown }>['ct'], direction?: 'original' | 'reply'): Expression => ({
  ct: name,
  ...(direction && { direction }),
})
const concat = (...parts: Expression[]): Expression => ({ concat: parts })
const mangle = (key: Expression, value: Extract<Statement, { mangle: unknown }>['mangle']['value']): Statement => ({
  mangle: { key, value },
})
const tcp = is(meta('l4proto'), 'tcp')

const inet = (nft: string, ...statements: Statement[]): Case => ({ family: 'inet', nft, statements })

const addresses: Case[] = [
  inet('ip saddr 10.0.0.1', is(payload('ip saddr'), '10.0.0.1')),
  inet('ip saddr != 10.0.0.1', is(payload('ip saddr'), '10.0.0.1', '!=')),
  inet('ip saddr 10.0.0.0/8', is(payload('ip saddr'), '10.0.0.0/8')),
  inet('ip saddr 10.0.0.0/12', is(payload('ip saddr'), '10.0.0.0/12')),
  inet('ip daddr != 192.168.0.0/16', is(payload('ip daddr'), '192.168.0.0/16', '!=')),
  inet('ip saddr 10.0.0.1-10.0.0.9', is(payload('ip saddr'), { range: ['10.0.0.1', '10.0.0.9'] })),
  inet('ip saddr != 10.0.0.1-10.0.0.9', is(payload('ip saddr'), { range: ['10.0.0.1', '10.0.0.9'] }, '!=')),
  inet('ip6 saddr fd00::/64', is(payload('ip6 saddr'), 'fd00::/64')),
  inet('ip6 daddr fd00::/63', is(payload('ip6 daddr'), 'fd00::/63')),
  inet('ip6 daddr fd00::5', is(payload('ip6 daddr'), 'fd00::5')),
  inet('ip saddr @addresses', is(payload('ip saddr'), '@addresses')),
  inet('ip saddr != @nets', is(payload('ip saddr'), '@nets', '!=')),
  inet('ip saddr { 10.0.0.1, 10.0.0.2 }', is(payload('ip saddr'), { set: ['10.0.0.1', '10.0.0.2'] })),
  inet(
    'ip saddr != { 10.0.0.0/8, 172.16.0.0/12, 192.168.1.1-192.168.1.9 }',
    is(payload('ip saddr'), { set: ['10.0.0.0/8', '172.16.0.0/12', { range: ['192.168.1.1', '192.168.1.9'] }] }, '!='),
  ),
  inet('ip6 saddr { fd00::/64, ff00::/8 }', is(payload('ip6 saddr'), { set: ['fd00::/64', 'ff00::/8'] })),
  inet('ip saddr 1.2.3.4 ip daddr 5.6.7.8', is(payload('ip saddr'), '1.2.3.4'), is(payload('ip daddr'), '5.6.7.8')),
  inet('ether saddr 02:00:00:00:00:01', is(payload('ether saddr'), '02:00:00:00:00:01')),
]

const transport: Case[] = [
  inet('tcp dport 80', is(payload('tcp dport'), 80)),
  inet('tcp dport != 80', is(payload('tcp dport'), 80, '!=')),
  inet('tcp dport 80-90', is(payload('tcp dport'), { range: [80, 90] })),
  inet('udp sport > 1023', is(payload('udp sport'), 1023, '>')),
  inet('udp sport <= 1023', is(payload('udp sport'), 1023, '<=')),
  inet('sctp dport 80', is(payload('sctp dport'), 80)),
  inet('dccp dport 80', is(payload('dccp dport'), 80)),
  inet('udplite dport 80', is(payload('udplite dport'), 80)),
  inet('tcp dport { 22, 80-90, 443 }', is(payload('tcp dport'), { set: [22, { range: [80, 90] }, 443] })),
  inet('meta l4proto tcp tcp dport 80', tcp, is(payload('tcp dport'), 80)),
  inet('ip protocol tcp tcp dport 80', is(payload('ip protocol'), 'tcp'), is(payload('tcp dport'), 80)),
  inet('ip6 nexthdr udp udp dport 53', is(payload('ip6 nexthdr'), 'udp'), is(payload('udp dport'), 53)),
  inet('meta l4proto { tcp, udp } th dport 53', is(meta('l4proto'), { set: ['tcp', 'udp'] }), is(payload('th dport'), 53)),
  inet('tcp flags syn', is(payload('tcp flags'), 'syn', 'in')),
  inet('tcp flags & (fin | syn | rst | ack) == syn', is({ '&': [payload('tcp flags'), ['fin', 'syn', 'rst', 'ack']] }, 'syn')),
  inet('tcp flags != syn', is(payload('tcp flags'), 'syn', '!=')),
  inet('tcp flags ! syn,rst', is(payload('tcp flags'), ['syn', 'rst'], '!in')),
  inet('tcp doff 5', is(payload('tcp doff'), 5)),
  inet('icmp type echo-request', is(payload('icmp type'), 'echo-request')),
  inet('icmp type { echo-request, echo-reply }', is(payload('icmp type'), { set: ['echo-request', 'echo-reply'] })),
  inet('icmp code 3', is(payload('icmp code'), 'port-unreachable')),
  inet('icmpv6 type nd-neighbor-solicit', is(payload('icmpv6 type'), 'nd-neighbor-solicit')),
  inet('esp spi 5', is(payload('esp spi'), 5)),
  inet('ah spi 5', is(payload('ah spi'), 5)),
  inet('udp dport 4789 @th,96,24 0x100', is(payload('udp dport'), 4789), is({ payload: { base: 'th', offset: 96, length: 24 } }, 0x100)),
  inet(
    'udp dport 4789 @th,96,24 @vnis drop',
    is(payload('udp dport'), 4789),
    is({ payload: { base: 'th', offset: 96, length: 24 } }, '@vnis'),
    { drop: true },
  ),
  inet('@nh,0,8 0x45', is({ payload: { base: 'nh', offset: 0, length: 8 } }, 0x45)),
  inet('ip dscp af11', is(payload('ip dscp'), 'af11')),
  inet('ip6 dscp != ef', is(payload('ip6 dscp'), 'ef', '!=')),
  inet('ip ttl < 5', is(payload('ip ttl'), 5, '<')),
  inet('ip6 hoplimit 255', is(payload('ip6 hoplimit'), 255)),
  inet('ip frag-off & 0x1fff != 0', is({ '&': [payload('ip frag-off'), 0x1fff] }, 0, '!=')),
  inet('ip version 4', is(payload('ip version'), 4)),
  inet('ip length 100-200', is(payload('ip length'), { range: [100, 200] })),
  inet('vlan id 5', is(payload('vlan id'), 5)),
]

const metadata: Case[] = [
  inet('iifname "eth0"', is(meta('iifname'), 'eth0')),
  inet('oifname != "eth0"', is(meta('oifname'), 'eth0', '!=')),
  inet('iifname "eth*"', is(meta('iifname'), 'eth*')),
  inet('iifname != "eth*"', is(meta('iifname'), 'eth*', '!=')),
  inet('iifname { "eth0", "eth1" }', is(meta('iifname'), { set: ['eth0', 'eth1'] })),
  inet('iifname { "eth0", "br*" }', is(meta('iifname'), { set: ['eth0', 'br*'] })),
  inet('oifname @names', is(meta('oifname'), '@names')),
  inet('iif lo', is(meta('iif'), 'lo')),
  inet('oif lo', is(meta('oif'), 'lo')),
  inet('meta mark 0x5', is(meta('mark'), 5)),
  inet('meta mark 0x5-0x9', is(meta('mark'), { range: [5, 9] })),
  inet('meta mark > 0x5', is(meta('mark'), 5, '>')),
  inet('meta mark & 0xff == 0x5', is({ '&': [meta('mark'), 0xff] }, 5)),
  inet('meta mark & 0xff != 0', is({ '&': [meta('mark'), 0xff] }, 0, '!=')),
  inet('meta mark { 0x1-0x5, 0x7 }', is(meta('mark'), { set: [{ range: [1, 5] }, 7] })),
  inet('meta mark @marks', is({ hton: meta('mark') }, '@marks')),
  inet('meta nfproto ipv6', is(meta('nfproto'), 'ipv6')),
  inet('meta protocol ip', is(meta('protocol'), 'ip')),
  inet('meta l4proto 47', is(meta('l4proto'), 'gre')),
  inet('meta pkttype broadcast', is(meta('pkttype'), 'broadcast')),
  inet('meta length 100-200', is(meta('length'), { range: [100, 200] })),
  inet('meta skuid 1000', is(meta('skuid'), 1000)),
  inet('meta skuid 1000-2000', is(meta('skuid'), { range: [1000, 2000] })),
  inet('meta skgid 1000', is(meta('skgid'), 1000)),
  inet('meta cgroup 5', is(meta('cgroup'), 5)),
  inet('meta priority 1:2', is(meta('priority'), 0x10002)),
  inet('meta iifgroup 5', is(meta('iifgroup'), 5)),
  inet('meta iiftype ether', is(meta('iiftype'), 'ether')),
  inet('meta cpu 1', is(meta('cpu'), 1)),
  inet('meta ipsec exists', is(meta('ipsec'), true)),
  inet('rt ipsec missing', is({ rt: 'ipsec' }, false)),
  inet('rt ip nexthop 10.0.0.1', is({ rt: 'ip nexthop' }, '10.0.0.1')),
  inet('fib daddr type local', is({ fib: { keys: ['daddr'], result: 'type' } }, 'local')),
  inet(
    'fib daddr . iif type { local, broadcast }',
    is({ fib: { keys: ['daddr', 'iif'], result: 'type' } }, { set: ['local', 'broadcast'] }),
  ),
  inet('fib saddr . iif oif missing', is({ fib: { keys: ['saddr', 'iif'], result: 'exists' } }, false)),
  inet('fib daddr oif exists', is({ fib: { keys: ['daddr'], result: 'exists' } }, true)),
  inet('fib saddr oifname "eth0"', is({ fib: { keys: ['saddr'], result: 'oifname' } }, 'eth0')),
  inet('tcp option maxseg size 1-1400', is({ tcpOption: 'maxseg size' }, { range: [1, 1400] })),
  inet('tcp option maxseg exists', is({ tcpOptionExists: 2 }, true)),
  inet('tcp option sack-permitted missing', is({ tcpOptionExists: 4 }, false)),
]

const conntrack: Case[] = [
  inet('ct state established,related accept', is(ct('state'), ['established', 'related'], 'in'), { accept: true }),
  inet('ct state new', is(ct('state'), ['new'], 'in')),
  inet('ct state != new', is(ct('state'), 'new', '!=')),
  inet('ct state ! established,related', is(ct('state'), ['established', 'related'], '!in')),
  inet('ct state { new, established }', is(ct('state'), { set: ['new', 'established'] })),
  inet('ct state vmap { established : accept, related : accept, invalid : drop }', {
    vmap: {
      key: ct('state'),
      map: [
        ['established', { accept: true }],
        ['related', { accept: true }],
        ['invalid', { drop: true }],
      ],
    },
  }),
  inet('ct status dnat', is(ct('status'), ['dnat'], 'in')),
  inet('ct direction original', is(ct('direction'), 'original')),
  inet('ct mark 0x10', is(ct('mark'), 0x10)),
  inet('ct mark & 0xff == 0x10-0x20', is({ '&': [ct('mark'), 0xff] }, { range: [0x10, 0x20] })),
  inet('ct original ip daddr 10.0.0.1', is(ct('ip daddr', 'original'), '10.0.0.1')),
  inet('ct reply ip6 saddr fd00::1', is(ct('ip6 saddr', 'reply'), 'fd00::1')),
  inet('ct original ip saddr 10.0.0.0/9', is(ct('ip saddr', 'original'), '10.0.0.0/9')),
  inet('meta l4proto tcp ct original proto-dst 80', tcp, is(ct('proto-dst', 'original'), 80)),
  inet('ct zone 5', is(ct('zone'), 5)),
  inet('ct l3proto ipv4', is(ct('l3proto'), 'ipv4')),
  inet('ct protocol tcp', is(ct('protocol'), 'tcp')),
  inet('ct bytes > 5', is(ct('bytes'), 5, '>')),
  inet('ct original packets > 5', is(ct('packets', 'original'), 5, '>')),
  inet('ct helper "ftp"', is(ct('helper'), 'ftp')),
]

const concatenations: Case[] = [
  inet('ip saddr . tcp dport @services', is(concat(payload('ip saddr'), payload('tcp dport')), '@services')),
  inet(
    'ip saddr . tcp dport { 10.0.0.1 . 80, 10.0.0.2 . 81 }',
    is(concat(payload('ip saddr'), payload('tcp dport')), {
      set: [
        ['10.0.0.1', 80],
        ['10.0.0.2', 81],
      ],
    }),
  ),
  inet(
    'ip saddr . tcp dport { 10.0.0.0/8 . 80-90, 11.0.0.2 . 81 }',
    is(concat(payload('ip saddr'), payload('tcp dport')), {
      set: [
        ['10.0.0.0/8', { range: [80, 90] }],
        ['11.0.0.2', 81],
      ],
    }),
  ),
  inet(
    'iifname . ip saddr { "eth0" . 10.0.0.1, "br*" . 10.0.0.0/8 }',
    is(concat(meta('iifname'), payload('ip saddr')), {
      set: [
        ['eth0', '10.0.0.1'],
        ['br*', '10.0.0.0/8'],
      ],
    }),
  ),
  inet(
    'meta mark . ip daddr { 0x1-0x5 . 1.2.3.4 }',
    is(concat(meta('mark'), payload('ip daddr')), { set: [[{ range: [1, 5] }, '1.2.3.4']] }),
  ),
  inet('meta mark . ip daddr { 0x5 . 1.2.3.4 }', is(concat(meta('mark'), payload('ip daddr')), { set: [[5, '1.2.3.4']] })),
  inet('iifname . oifname vmap @pairs', { vmap: { key: concat(meta('iifname'), meta('oifname')), map: 'pairs' } }),
  inet('iifname vmap @verdicts', { vmap: { key: meta('iifname'), map: 'verdicts' } }),
  inet('iifname vmap { "eth0" : jump other, "eth1" : goto other, "eth2" : return }', {
    vmap: {
      key: meta('iifname'),
      map: [
        ['eth0', { jump: 'other' }],
        ['eth1', { goto: 'other' }],
        ['eth2', { return: true }],
      ],
    },
  }),
  inet('tcp dport vmap { 80 : accept, 81-90 : drop }', {
    vmap: {
      key: payload('tcp dport'),
      map: [
        [80, { accept: true }],
        [{ range: [81, 90] }, { drop: true }],
      ],
    },
  }),
  inet('ip saddr . meta l4proto vmap { 10.0.0.1 . tcp : accept }', {
    vmap: { key: concat(payload('ip saddr'), meta('l4proto')), map: [[['10.0.0.1', 'tcp'], { accept: true }]] },
  }),
  inet('ct state . ct direction vmap { established . original : accept }', {
    vmap: { key: concat(ct('state'), ct('direction')), map: [[['established', 'original'], { accept: true }]] },
  }),
]

const verdicts: Case[] = [
  inet('accept', { accept: true }),
  inet('drop', { drop: true }),
  inet('continue', { continue: true }),
  inet('return', { return: true }),
  inet('jump other', { jump: 'other' }),
  inet('goto other', { goto: 'other' }),
  inet('counter accept', { counter: true }, { accept: true }),
  inet('limit rate 10/second accept', { limit: { rate: 10, per: 'second' } }, { accept: true }),
  inet(
    'limit rate over 10 mbytes/minute burst 1 mbytes drop',
    { limit: { rate: 10485760, per: 'minute', unit: 'bytes', burst: 1048576, over: true } },
    { drop: true },
  ),
  inet('limit rate 5/hour burst 20 packets', { limit: { rate: 5, per: 'hour', burst: 20 } }),
  inet('quota over 10 mbytes drop', { quota: { bytes: 10485760, over: true } }, { drop: true }),
  inet('quota 1000 bytes', { quota: { bytes: 1000 } }),
  inet('ct count 5', { ctCount: { count: 5 } }),
  inet('ct count over 5 drop', { ctCount: { count: 5, over: true } }, { drop: true }),
  inet('log', { log: {} }),
  inet('log prefix "dropped: " level debug flags all', {
    log: { prefix: 'dropped: ', level: 'debug', flags: ['tcp sequence', 'tcp options', 'ip options', 'skuid', 'ether'] },
  }),
  inet('log group 5 prefix "x" snaplen 100 queue-threshold 7', { log: { group: 5, prefix: 'x', snaplen: 100, queueThreshold: 7 } }),
  inet('notrack', { notrack: true }),
  inet('reject', { reject: { type: 'icmpx', code: 'port-unreachable' } }),
  inet('reject with icmpx admin-prohibited', { reject: { type: 'icmpx', code: 'admin-prohibited' } }),
  inet('reject with icmp host-unreachable', { reject: { type: 'icmp', code: 'host-unreachable' } }),
  inet('ip saddr 1.2.3.4 reject with icmp admin-prohibited', is(payload('ip saddr'), '1.2.3.4'), {
    reject: { type: 'icmp', code: 'admin-prohibited' },
  }),
  inet('reject with icmpv6 no-route', { reject: { type: 'icmpv6', code: 'no-route' } }),
  inet('reject with tcp reset', { reject: { type: 'tcp reset' } }),
  inet('tcp dport 80 reject with tcp reset', is(payload('tcp dport'), 80), { reject: { type: 'tcp reset' } }),
]

const writing: Case[] = [
  inet('meta mark set 0x10', mangle(meta('mark'), 0x10)),
  inet('meta mark set meta mark | 0x10', mangle(meta('mark'), { '|': [meta('mark'), 0x10] })),
  inet('meta mark set meta mark & 0xff', mangle(meta('mark'), { '&': [meta('mark'), 0xff] })),
  inet('meta mark set meta mark ^ 0xff', mangle(meta('mark'), { '^': [meta('mark'), 0xff] })),
  inet('meta mark set ct mark', mangle(meta('mark'), ct('mark'))),
  inet('ct mark set meta mark', mangle(ct('mark'), meta('mark'))),
  inet('ct mark set meta mark & 0xff | 0x100', mangle(ct('mark'), { '|': [{ '&': [meta('mark'), 0xff] }, 0x100] })),
  inet('meta mark set ip saddr map @marks-of', mangle(meta('mark'), { map: 'marks-of', key: payload('ip saddr') })),
  inet(
    'meta mark set ip saddr map { 10.0.0.0/8 : 0x1, 172.16.0.0/12 : 0x2 }',
    mangle(meta('mark'), {
      map: [
        ['10.0.0.0/8', 1],
        ['172.16.0.0/12', 2],
      ],
      key: payload('ip saddr'),
    }),
  ),
  inet('meta mark set numgen inc mod 5 offset 7', mangle(meta('mark'), { numgen: { mode: 'inc', mod: 5, offset: 7 } })),
  inet(
    'meta mark set jhash ip saddr . ip daddr mod 5 seed 0x1234',
    mangle(meta('mark'), { jhash: { key: concat(payload('ip saddr'), payload('ip daddr')), mod: 5, seed: 0x1234 } }),
  ),
  inet('meta mark set symhash mod 5 offset 1', mangle(meta('mark'), { symhash: { mod: 5, offset: 1 } })),
  inet('meta priority set 1:2', mangle(meta('priority'), 0x10002)),
  inet('meta nftrace set 1', mangle(meta('nftrace'), true)),
  inet('meta pkttype set host', mangle(meta('pkttype'), 'host')),
  inet('ct zone set 5', mangle(ct('zone'), 5)),
  inet('ip ttl set 64', mangle(payload('ip ttl'), 64)),
  inet('ip daddr set 1.2.3.4', mangle(payload('ip daddr'), '1.2.3.4')),
  inet('ip6 daddr set fd00::1', mangle(payload('ip6 daddr'), 'fd00::1')),
  inet('ip dscp set ef', mangle(payload('ip dscp'), 'ef')),
  inet('ip6 dscp set ef', mangle(payload('ip6 dscp'), 'ef')),
  inet('ip6 hoplimit set 3', mangle(payload('ip6 hoplimit'), 3)),
  inet('tcp dport set 81', mangle(payload('tcp dport'), 81)),
  inet('udp dport set 81', mangle(payload('udp dport'), 81)),
  inet('icmp code set 3', mangle(payload('icmp code'), 'port-unreachable')),
  inet('tcp option maxseg size set rt mtu', mangle({ tcpOption: 'maxseg size' }, { rt: 'mtu' })),
  inet(
    'tcp flags & (syn | rst) == syn tcp option maxseg size set 1400',
    is({ '&': [payload('tcp flags'), ['syn', 'rst']] }, 'syn'),
    mangle({ tcpOption: 'maxseg size' }, 1400),
  ),
  inet('add @seen { ip saddr }', { set: { op: 'add', set: 'seen', key: payload('ip saddr') } }),
  inet('update @seen { ip saddr timeout 10s limit rate 10/second burst 5 packets }', {
    set: { op: 'update', set: 'seen', key: payload('ip saddr'), timeout: 10_000, statements: [{ limit: { rate: 10, per: 'second' } }] },
  }),
  inet('delete @seen { ip saddr }', { set: { op: 'delete', set: 'seen', key: payload('ip saddr') } }),
  inet('add @seen-pairs { ip saddr . tcp dport }', {
    set: { op: 'add', set: 'seen-pairs', key: concat(payload('ip saddr'), payload('tcp dport')) },
  }),
  inet('update @seen-marks { ip saddr : meta mark }', {
    set: { op: 'update', set: 'seen-marks', key: payload('ip saddr'), data: meta('mark') },
  }),
]

const socket: Case[] = [
  inet('socket transparent 1', is({ socket: 'transparent' }, true)),
  inet('socket mark 0x5', is({ socket: 'mark' }, 5)),
  inet('ipsec in reqid 5', is({ ipsec: 'reqid', direction: 'in' }, 5)),
  inet('ipsec out ip saddr 1.2.3.4', is({ ipsec: 'ip saddr', direction: 'out' }, '1.2.3.4')),
  inet('ipsec in spi 5', is({ ipsec: 'spi', direction: 'in' }, 5)),
]

/** In chains of the type nat, at prerouting. */
export const destinationNat: Case[] = [
  inet('dnat ip to 10.0.0.1', { dnat: { family: 'ip', address: '10.0.0.1' } }),
  inet('dnat ip to 10.0.0.1-10.0.0.9 random,persistent', {
    dnat: { family: 'ip', address: { range: ['10.0.0.1', '10.0.0.9'] }, flags: ['random', 'persistent'] },
  }),
  inet('dnat ip6 to fd00::1', { dnat: { family: 'ip6', address: 'fd00::1' } }),
  inet('meta l4proto tcp dnat ip to 10.0.0.1:80', tcp, { dnat: { family: 'ip', address: '10.0.0.1', port: 80 } }),
  inet('meta l4proto tcp dnat ip to 10.0.0.1:80-90', tcp, { dnat: { family: 'ip', address: '10.0.0.1', port: { range: [80, 90] } } }),
  inet('meta l4proto tcp dnat ip6 to [fd00::1]:80', tcp, { dnat: { family: 'ip6', address: 'fd00::1', port: 80 } }),
  inet('tcp dport 80 dnat to :8080', is(payload('tcp dport'), 80), { dnat: { port: 8080 } }),
  inet('dnat ip to meta l4proto . ip daddr . th dport map @ports4', {
    dnat: { family: 'ip', to: { map: 'ports4', key: concat(meta('l4proto'), payload('ip daddr'), payload('th dport')) } },
  }),
  inet('dnat ip6 to meta l4proto . ip6 daddr . th dport map @ports6', {
    dnat: { family: 'ip6', to: { map: 'ports6', key: concat(meta('l4proto'), payload('ip6 daddr'), payload('th dport')) } },
  }),
  inet('dnat ip to tcp dport map @hosts', { dnat: { family: 'ip', address: { map: 'hosts', key: payload('tcp dport') } } }),
  inet('dnat ip prefix to ip daddr map @prefixes', { dnat: { family: 'ip', prefix: { map: 'prefixes', key: payload('ip daddr') } } }),
  inet('dnat ip prefix to 10.9.0.0/24', { dnat: { family: 'ip', address: '10.9.0.0/24' } }),
  inet('dnat ip to numgen inc mod 2 map { 0 : 10.0.0.1, 1 : 10.0.0.2 }', {
    dnat: {
      family: 'ip',
      address: {
        map: [
          [0, '10.0.0.1'],
          [1, '10.0.0.2'],
        ],
        key: { numgen: { mode: 'inc', mod: 2 } },
      },
    },
  }),
  inet('dnat ip to numgen random mod 2 map @backends', {
    dnat: { family: 'ip', address: { map: 'backends', key: { numgen: { mode: 'random', mod: 2 } } } },
  }),
  inet('dnat ip to jhash ip saddr . tcp sport mod 2 seed 0xdeadbeef map { 0 : 10.0.0.1 . 80, 1 : 10.0.0.2 . 81 }', {
    dnat: {
      family: 'ip',
      to: {
        map: [
          [0, ['10.0.0.1', 80]],
          [1, ['10.0.0.2', 81]],
        ],
        key: { jhash: { key: concat(payload('ip saddr'), payload('tcp sport')), mod: 2, seed: 0xdeadbeef } },
      },
    },
  }),
  inet('dnat ip to symhash mod 2 map { 0 : 10.0.0.1, 1 : 10.0.0.2 }', {
    dnat: {
      family: 'ip',
      address: {
        map: [
          [0, '10.0.0.1'],
          [1, '10.0.0.2'],
        ],
        key: { symhash: { mod: 2 } },
      },
    },
  }),
  inet('ip daddr 127.0.0.11 udp dport 53 dnat ip to 127.0.0.11:5353', is(payload('ip daddr'), '127.0.0.11'), is(payload('udp dport'), 53), {
    dnat: { family: 'ip', address: '127.0.0.11', port: 5353 },
  }),
  inet('tcp dport 53 redirect to :5353', is(payload('tcp dport'), 53), { redirect: { port: 5353 } }),
  inet('redirect', { redirect: {} }),
]

/** In chains of the type nat, at postrouting. */
export const sourceNat: Case[] = [
  inet('masquerade', { masquerade: {} }),
  inet('masquerade random,persistent', { masquerade: { flags: ['random', 'persistent'] } }),
  inet('meta l4proto tcp masquerade to :1024-2048 fully-random', tcp, {
    masquerade: { port: { range: [1024, 2048] }, flags: ['fully-random'] },
  }),
  inet('snat ip to 1.2.3.4', { snat: { family: 'ip', address: '1.2.3.4' } }),
  inet('snat ip6 to fd00::1', { snat: { family: 'ip6', address: 'fd00::1' } }),
  inet('snat ip to ip saddr map @sources', { snat: { family: 'ip', address: { map: 'sources', key: payload('ip saddr') } } }),
  inet('snat ip prefix to ip saddr map @prefixes', { snat: { family: 'ip', prefix: { map: 'prefixes', key: payload('ip saddr') } } }),
]

/** In chains of the type filter, at prerouting. */
export const proxying: Case[] = [
  inet('meta l4proto tcp tproxy ip to 127.0.0.1:80', tcp, { tproxy: { family: 'ip', address: '127.0.0.1', port: 80 } }),
  inet('meta l4proto tcp tproxy ip6 to [::1]:80', tcp, { tproxy: { family: 'ip6', address: '::1', port: 80 } }),
  inet('meta l4proto tcp tproxy to :80', tcp, { tproxy: { port: 80 } }),
]

const of = (family: FirewallFamily, nft: string, ...statements: Statement[]): Case => ({ family, nft, statements })

export const otherFamilies: Case[] = [
  of('ip', 'ip saddr 10.0.0.0/8', is(payload('ip saddr'), '10.0.0.0/8')),
  of('ip', 'tcp dport 80 accept', is(payload('tcp dport'), 80), { accept: true }),
  of('ip', 'icmp type echo-request', is(payload('icmp type'), 'echo-request')),
  of('ip', 'ct original saddr 10.0.0.1', is(ct('saddr', 'original'), '10.0.0.1')),
  of('ip', 'ether type ip', is(payload('ether type'), 'ip')),
  of('ip', 'reject with icmp port-unreachable', { reject: { type: 'icmp', code: 'port-unreachable' } }),
  of('ip', 'ip daddr 10.0.0.1 ip dscp set ef', is(payload('ip daddr'), '10.0.0.1'), mangle(payload('ip dscp'), 'ef')),
  of('ip6', 'ip6 saddr fd00::/8', is(payload('ip6 saddr'), 'fd00::/8')),
  of('ip6', 'icmpv6 type echo-request', is(payload('icmpv6 type'), 'echo-request')),
  of('ip6', 'ct reply daddr fd00::1', is(ct('daddr', 'reply'), 'fd00::1')),
  of('bridge', 'ether saddr != 02:00:00:00:00:01 drop', is(payload('ether saddr'), '02:00:00:00:00:01', '!='), { drop: true }),
  of('bridge', 'ether type arp', is(payload('ether type'), 'arp')),
  of('bridge', 'ip saddr 1.2.3.4', is(payload('ip saddr'), '1.2.3.4')),
  of('bridge', 'ip6 saddr fd00::1', is(payload('ip6 saddr'), 'fd00::1')),
  of('bridge', 'ether type ip ip saddr 1.2.3.4', is(payload('ether type'), 'ip'), is(payload('ip saddr'), '1.2.3.4')),
  of('bridge', 'arp operation request', is(payload('arp operation'), 'request')),
  of('bridge', 'arp saddr ip 1.2.3.4', is(payload('arp saddr ip'), '1.2.3.4')),
  of('bridge', 'tcp dport 80', is(payload('tcp dport'), 80)),
  of('bridge', 'vlan id 5', is(payload('vlan id'), 5)),
  of('bridge', 'vlan id 5 ip saddr 1.2.3.4', is(payload('vlan id'), 5), is(payload('ip saddr'), '1.2.3.4')),
  of('bridge', 'vlan pcp 3', is(payload('vlan pcp'), 3)),
  of(
    'bridge',
    'iifname "eth0" ether saddr . ip saddr { 02:00:00:00:00:01 . 1.2.3.4 }',
    is(meta('iifname'), 'eth0'),
    is(concat(payload('ether saddr'), payload('ip saddr')), { set: [['02:00:00:00:00:01', '1.2.3.4']] }),
  ),
  of(
    'bridge',
    'ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00',
    is({ '&': [payload('ether daddr'), '01:00:00:00:00:00'] }, '01:00:00:00:00:00'),
  ),
  of('bridge', 'ether saddr set 02:00:00:00:00:01', mangle(payload('ether saddr'), '02:00:00:00:00:01')),
  of('bridge', 'icmpv6 type nd-neighbor-solicit', is(payload('icmpv6 type'), 'nd-neighbor-solicit')),
  of('bridge', 'meta pkttype host', is(meta('pkttype'), 'host')),
  of('arp', 'arp saddr ip 1.2.3.4', is(payload('arp saddr ip'), '1.2.3.4')),
  of('arp', 'arp daddr ether 02:00:00:00:00:01', is(payload('arp daddr ether'), '02:00:00:00:00:01')),
  of('arp', 'arp operation reply', is(payload('arp operation'), 'reply')),
  of('netdev', 'ip saddr 1.2.3.4', is(payload('ip saddr'), '1.2.3.4')),
  of('netdev', 'tcp dport 80 drop', is(payload('tcp dport'), 80), { drop: true }),
  of('netdev', 'arp operation request', is(payload('arp operation'), 'request')),
  of('netdev', 'vlan id 5', is(payload('vlan id'), 5)),
]

/** In regular chains of an inet table. */
export const inetCases: Case[] = [
  ...addresses,
  ...transport,
  ...metadata,
  ...conntrack,
  ...concatenations,
  ...verdicts,
  ...writing,
  ...socket,
]
