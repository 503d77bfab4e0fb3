import { execFileSync } from 'node:child_process'

/** One of everything that this kernel can make, in the namespace of the test: what its dumps then show is what gets mutated. */
export function makeWorld(): void {
  const commands = [
    'ip link add fzbr0 up type bridge vlan_default_pvid 1',
    'ip link add fzv0 master fzbr0 mtu 1400 up type veth peer name fzv1',
    'ip link set fzv1 alias some-alias up',
    'ip link add fzvx0 type vxlan id 77 dstport 4789 local 127.0.0.1',
    'ip link add fzmv0 link fzv1 type macvlan mode bridge',
    'ip address add 10.66.0.1/24 dev fzbr0 broadcast +',
    'ip address add 10.66.1.1 peer 10.66.1.2/32 dev fzbr0',
    'ip address add fd66::1/64 dev fzbr0 nodad',
    'ip route add 10.67.0.0/16 via 10.66.0.9 metric 5',
    'ip route add 10.68.0.0/16 nexthop via 10.66.0.9 weight 2 nexthop via 10.66.0.8 weight 1',
    'ip route add blackhole 10.69.0.0/16',
    'ip -6 route add fd67::/64 via fd66::9',
    'ip neigh add 10.66.0.9 lladdr 02:00:00:00:00:09 dev fzbr0',
    'ip neigh add proxy 10.66.0.7 dev fzbr0',
    'bridge fdb add 02:00:00:00:00:10 dev fzv0 master static',
    'bridge fdb append 00:00:00:00:00:00 dev fzvx0 dst 127.0.0.2',
    'ip rule add from 10.66.0.0/24 fwmark 0x10/0xff table 100 priority 100',
    'ip -6 rule add to fd66::/64 table 101',
    'tc qdisc add dev fzv1 root tbf rate 1mbit burst 10k latency 50ms',
    'tc qdisc add dev fzv1 ingress',
    'ip xfrm policy add src 10.1.0.0/16 dst 10.2.0.0/16 proto udp dport 53 dir out mark 5 mask 255 tmpl src 10.3.0.1 dst 10.3.0.2 proto esp reqid 4 mode tunnel',
    'ip xfrm policy add src fd00::/64 dst fd01::/64 dir fwd action block',
    'conntrack -I -p tcp -s 10.66.0.1 -d 10.66.0.2 --sport 1 --dport 2 --state ESTABLISHED -t 600 -u SEEN_REPLY -m 7',
    'conntrack -I -p udp -s fd66::1 -d fd66::2 --sport 1 --dport 2 -t 600',
  ]
  for (const command of commands) execFileSync('sh', ['-c', command], { stdio: 'pipe' })
  execFileSync('nft', ['-f', '-'], { input: RULESET, stdio: 'pipe' })
}

const RULESET = `
table inet fuzz {
  set hosts { type ipv4_addr . inet_service; flags interval; elements = { 10.0.0.0/8 . 80-90, 192.0.2.1 . 53 } }
  set names { type ifname; comment "interfaces"; elements = { "eth0", "veth1" comment "one" } }
  map ports { type inet_proto . inet_service : ipv4_addr . inet_service; elements = { tcp . 8080 : 10.0.0.2 . 80 } }
  map verdicts { type ifname : verdict; elements = { "eth0" : jump more } }
  chain more { counter packets 1 bytes 2; tcp flags & (syn|ack) == syn tcp option maxseg size set rt mtu; return; }
  chain prerouting { type nat hook prerouting priority dstnat; policy accept;
    fib daddr type local dnat ip to meta l4proto . th dport map @ports
    tcp dport 81 redirect to :8081
  }
  chain postrouting { type nat hook postrouting priority srcnat; policy accept;
    ip saddr 10.66.0.0/24 oifname != "fzbr0" masquerade fully-random
  }
  chain forward { type filter hook forward priority filter; policy accept;
    iifname vmap @verdicts
    ct state vmap { established : accept, related : accept, invalid : drop }
    ip saddr . tcp dport @hosts log prefix "fuzz " limit rate 10/second burst 5 packets reject with icmpx port-unreachable
    meta mark set ct mark and 0xff numgen inc mod 2 vmap { 0 : continue, 1 : return } comment "owner"
    ip6 nexthdr udp udp dport 1000-2000 ct mark set jhash ip6 saddr mod 8
  }
}
table bridge fuzzbr {
  chain c { type filter hook forward priority 0; ether type arp accept; }
}
`
