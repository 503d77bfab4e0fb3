import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { capabilitiesTable, FEATURE_NAMES, probe, type FeatureName } from '../../src/kernel/probe/index.js'
import { needs, needsPrivileges, needsRealRoot } from '../tools.js'

/** Whether a command succeeds in a fresh network namespace; its complaint if not. */
function works(command: string): string | undefined {
  try {
    execFileSync('unshare', ['-n', 'sh', '-c', command], { encoding: 'utf8', stdio: 'pipe' })
    return undefined
  } catch (error) {
    return String((error as { stderr?: unknown }).stderr)
  }
}

/** The same questions, asked by other programs. */
const SAME: [FeatureName, tool: string, command: string][] = [
  ['link-bridge', 'ip', 'ip link add t0 type bridge'],
  ['link-veth', 'ip', 'ip link add t0 type veth'],
  ['link-vxlan', 'ip', 'ip link add t0 type vxlan id 1 dstport 4789'],
  ['link-macvlan', 'ip', 'ip link add t0 type bridge && ip link add t1 link t0 type macvlan'],
  ['link-ipvlan', 'ip', 'ip link add t0 type bridge && ip link add t1 link t0 type ipvlan'],
  ['link-vlan', 'ip', 'ip link add t0 type bridge && ip link add t1 link t0 type vlan id 5'],
  ['link-dummy', 'ip', 'ip link add t0 type dummy'],
  ['link-vrf', 'ip', 'ip link add t0 type vrf table 5'],
  ['link-ifb', 'ip', 'ip link add t0 type ifb'],
  ['link-wireguard', 'ip', 'ip link add t0 type wireguard'],
  ['bridge-vlan-filtering', 'ip', 'ip link add t0 type bridge vlan_filtering 1'],
  ['qdisc-tbf', 'tc', 'ip link add t0 type bridge && tc qdisc add dev t0 root tbf rate 1mbit burst 10k latency 50ms'],
  ['qdisc-fq-codel', 'tc', 'ip link add t0 type bridge && tc qdisc add dev t0 root fq_codel'],
  ['qdisc-netem', 'tc', 'ip link add t0 type bridge && tc qdisc add dev t0 root netem delay 1ms'],
  ['qdisc-ingress', 'tc', 'ip link add t0 type bridge && tc qdisc add dev t0 ingress'],
  ['nftables', 'nft', 'nft add table ip t'],
  ['nft-bridge', 'nft', 'nft add table bridge t'],
  ['nft-inet', 'nft', 'nft add table inet t'],
  ['nft-nat', 'nft', nft('type nat hook prerouting priority -100', 'dnat ip to 10.0.0.1')],
  ['nft-masquerade', 'nft', nft('type nat hook postrouting priority 100', 'masquerade')],
  ['nft-redirect', 'nft', nft('type nat hook prerouting priority -100', 'redirect')],
  ['nft-fib', 'nft', nft('type filter hook prerouting priority 0', 'fib daddr type local accept')],
  ['nft-tproxy', 'nft', nft('type filter hook prerouting priority 0', 'meta l4proto tcp tproxy ip to 10.0.0.1')],
  ['nft-numgen', 'nft', nft('type filter hook input priority 0', 'numgen inc mod 2 0 accept')],
  ['nft-hash', 'nft', nft('type filter hook input priority 0', 'jhash ip saddr mod 2 0 accept')],
  ['nft-reject', 'nft', nft('type filter hook input priority 0', 'reject')],
  ['nft-limit', 'nft', nft('type filter hook input priority 0', 'limit rate 1/second accept')],
  ['nft-log', 'nft', nft('type filter hook input priority 0', 'log')],
  ['nft-ct', 'nft', nft('type filter hook input priority 0', 'ct state new accept')],
  ['nft-concatenated-intervals', 'nft', "nft add table inet t '{ set s { type ipv4_addr . ipv4_addr; flags interval; }; }'"],
  ['xfrm', 'ip', 'ip xfrm policy list'],
  [
    'xfrm-esp',
    'ip',
    `ip xfrm state add src 10.0.0.1 dst 10.0.0.2 proto esp spi 1 mode transport aead 'rfc4106(gcm(aes))' 0x${'00'.repeat(20)} 128`,
  ],
  ['conntrack', 'conntrack', 'conntrack -L'],
]

function nft(chain: string, rule: string): string {
  return `nft 'add table inet t; add chain inet t c { ${chain} ; }; add rule inet t c ${rule}'`
}

const links = (): string[] => readFileSync('/proc/net/dev', 'utf8').split('\n').slice(2)

describe.skipIf(needsPrivileges())('the capability probe', () => {
  it.skipIf(needs('unshare', 'ip', 'tc', 'nft', 'conntrack'))('says yes and no where ip, tc, nft and conntrack do', () => {
    const { features } = probe()
    const answers = SAME.map(([name, , command]) => ({ name, complaint: works(command) }))
    for (const { name, complaint } of answers)
      expect({ name, available: features[name].available, complaint }).toEqual({ name, available: complaint === undefined, complaint })
  })

  it('gives a reason for every no, in words and by name of the error', () => {
    const { features } = probe()
    for (const name of FEATURE_NAMES) {
      const { available, reason } = features[name]
      expect(typeof available).toBe('boolean')
      expect(reason === undefined, name).toBe(available)
      if (!available && name.startsWith('link-')) expect(reason).toMatch(/^E[A-Z]+: .+/)
    }
  })

  it('leaves no trace: same namespace, same links, same descriptors', () => {
    probe()
    const before = { namespace: readlinkSync('/proc/thread-self/ns/net'), links: links(), descriptors: readdirSync('/proc/self/fd').length }
    probe()
    expect({
      namespace: readlinkSync('/proc/thread-self/ns/net'),
      links: links(),
      descriptors: readdirSync('/proc/self/fd').length,
    }).toEqual(before)
  })

  it('tries only what is asked for', () => {
    const { features } = probe(['link-veth', 'cgroup2'])
    expect(Object.keys(features).sort()).toEqual(['cgroup2', 'link-veth'])
    expect(probe([]).features).toEqual({})
    expect(probe(['flying' as FeatureName]).features).toEqual({ flying: { available: false, reason: 'not a feature' } })
  })

  it.skipIf(needsRealRoot())('tells the state of the host', () => {
    const { settings } = probe([])
    execFileSync('sh', ['-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward'])
    expect(probe([]).settings.ipv4Forwarding).toBe(true)
    execFileSync('sh', ['-c', 'echo 0 > /proc/sys/net/ipv4/ip_forward'])
    expect(probe([]).settings).toEqual({ ...settings, ipv4Forwarding: false })
    expect(settings.bridgeNetfilter).toBe(existsSync('/proc/sys/net/bridge'))
    expect(settings.kernel).toBe(readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim())
  })

  it('is rendered as a table of one line per feature', () => {
    const capabilities = probe()
    const lines = capabilitiesTable(capabilities).split('\n')
    expect(lines).toHaveLength(FEATURE_NAMES.length + 1)
    expect(lines[0]).toContain(`Linux ${capabilities.settings.kernel}`)
    for (const name of FEATURE_NAMES)
      expect(
        lines.some((line) => line.startsWith(`${name} `) && line.includes(capabilities.features[name].available ? ' yes ' : ' no ')),
      ).toBe(true)
  })
})

describe.skipIf(needs('setpriv', 'node'))('the capability probe without privileges', () => {
  it('says what is missing, and does not fail', () => {
    const script = "import('./src/kernel/probe/index.ts').then(({ probe }) => console.log(JSON.stringify(probe().features)))"
    const args = ['--bounding-set=-all', '--inh-caps=-all', '--ambient-caps=-all', process.execPath, '--import', 'tsx', '-e', script]
    const features = JSON.parse(execFileSync('setpriv', args, { encoding: 'utf8' })) as ReturnType<typeof probe>['features']
    expect(features['net-admin']).toMatchObject({ available: false, reason: expect.stringContaining('effective set') })
    expect(features['network-namespaces']).toMatchObject({ available: false, reason: expect.stringMatching(/unshare: EPERM/) })
    expect(features.mounts).toMatchObject({ available: false, reason: expect.stringMatching(/open_tree: EPERM/) })
    for (const name of ['link-veth', 'nft-nat', 'conntrack'] as const)
      expect(features[name]).toMatchObject({ available: false, reason: expect.stringMatching(/unshare: EPERM/) })
  })
})
