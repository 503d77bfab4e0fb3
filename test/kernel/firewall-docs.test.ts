import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { bridge } from '../../drivers/bridge/index.js'
import type { PortView } from '../../src/contracts/index.js'
import { plugOutside, setBridgeNetfilter, unplugOutside } from '../drivers/outside.js'
import { DriverWorld, INSTANCE, sh } from '../drivers/world.js'
import { needs, needsPrivileges, skipping } from '../tools.js'

/**
 * docs/firewall.md shows the rules of each scenario as nft prints them. They are made here, and compared; with
 * LIBCNM_UPDATE_DOCS=1 they are written into the page instead.
 */
const PAGE = fileURLToPath(new URL('../../docs/firewall.md', import.meta.url))
const UPDATE = process.env.LIBCNM_UPDATE_DOCS === '1'
/** A block of the page: its name in a comment, then what nft prints. */
const BLOCK = /<!-- rules: ([\w-]+) -->\n\n```nft\n([\s\S]*?)```\n/g

const option = (name: string): string => `com.docker.network.bridge.${name}`
const modes = (mode: string): Record<string, string> => ({ [option('gateway_mode_ipv4')]: mode, [option('gateway_mode_ipv6')]: mode })
const port = (more: Partial<PortView>): PortView => ({ protocol: 'tcp', hostPort: 8080, containerPort: 80, ...more })

interface Scenario {
  options?: Record<string, string>
  internal?: boolean
  ports?: PortView[]
  labels?: Record<string, string>
}

const SCENARIOS: Record<string, Scenario> = {
  nat: { ports: [port({})] },
  ports: {
    ports: [
      port({ hostAddress: '192.0.2.1' }),
      port({ hostAddress: '127.0.0.1', hostPort: 9090, containerPort: 90 }),
      port({ protocol: 'udp', hostPort: 5000, hostPortEnd: 5999, containerPort: 5000 }),
      port({ protocol: 'sctp', hostAddress: '2001:db8::1', hostPort: 7000, hostPortEnd: 7001, containerPort: 700 }),
    ],
  },
  'nat-unprotected': { options: modes('nat-unprotected'), ports: [port({})] },
  routed: {
    options: modes('routed'),
    ports: [port({}), port({ protocol: 'udp', hostPort: 5000, hostPortEnd: 5999, containerPort: 5000 })],
  },
  internal: { internal: true },
  isolated: { internal: true, options: modes('isolated') },
  'no-communication': { options: { [option('enable_icc')]: 'false' } },
  outbound: { options: { outbound_addr4: '192.0.2.77', [option('enable_ip_masquerade')]: 'true' } },
  isolate: { options: { isolate: 'strict' } },
  open: { options: { isolate: 'false' } },
  exceptions: { options: { [option('trusted_host_interfaces')]: 'lo:up0', accept_fwmark: '0x10/0xf0' } },
  policy: { options: { policy: 'allow from tier=web to tier=db tcp/5432 icmp; allow from admin' }, labels: { tier: 'db' } },
  spoofing: { options: { address_spoof_check: 'true' } },
}

describe.skipIf(needsPrivileges() ?? needs('ip', 'nft'))('docs/firewall.md', () => {
  let world: DriverWorld
  let page = readFileSync(PAGE, 'utf8')
  const shown = new Map([...page.matchAll(BLOCK)].map(([, name, text]) => [name!, text!]))
  const printer = /<!-- printed by nftables (v[\d.]+) -->/.exec(page)?.[1]

  beforeAll(async () => {
    setBridgeNetfilter(false)
    plugOutside()
    world = await DriverWorld.open(bridge())
  })
  afterEach(() => world.clear())
  afterAll(async () => {
    await world[Symbol.asyncDispose]()
    unplugOutside()
    if (UPDATE) writeFileSync(PAGE, page)
  })

  const own = needs('nft') ? undefined : /v[\d.]+/.exec(sh('host', 'nft', '--version'))?.[0]
  const differs = own !== printer && !UPDATE && skipping(`the page shows what nft ${printer} prints, and this is ${own}`)

  /** The rules of a scenario, with names instead of ids. */
  async function rulesOf({ options = {}, internal = false, ports = [], labels = {} }: Scenario): Promise<string> {
    const network = await world.network({ [option('name')]: 'br-front', ...options }, { internal })
    const member = await world.join('web', network, {}, { ports, labels })
    const text = ['inet', 'bridge'].map((family) => listing(family)).join('')
    return [
      [network.id, 'front'],
      [network.shortId, 'front'],
      [member.view.id, 'web'],
      [`veth${member.view.id.slice(0, 11)}`, 'veth-web'],
      [INSTANCE, 'cnm'],
      ...network.subnets.flatMap(({ subnet, family }) => {
        const [prefix] = subnet.split(family === 4 ? '.0/' : '::/')
        return [[prefix!, family === 4 ? '10.10.0' : 'fd00:10']]
      }),
    ].reduce((all, [from, to]) => all.replaceAll(from!, to!), text)
  }
  const listing = (family: string): string => {
    const tables = sh('host', 'nft', 'list', 'tables')
    return tables.includes(`table ${family} ${INSTANCE}\n`) ? sh('host', 'nft', '-s', 'list', 'table', family, INSTANCE) : ''
  }

  it('shows every scenario, and no other', () => {
    expect([...shown.keys()].sort()).toEqual([...Object.keys(SCENARIOS), 'chains'].sort())
  })

  it.skipIf(differs)('shows the chains as they are', async () => compare('chains', chainsOf(await rulesOf({}))))
  it.skipIf(differs).each(Object.keys(SCENARIOS))('shows the rules of scenario %s as they are', async (name) => {
    compare(name, ownOf(await rulesOf(SCENARIOS[name]!)))
  })

  function compare(name: string, text: string): void {
    if (UPDATE)
      page = page.replace(BLOCK, (block, which: string) =>
        which === name ? `<!-- rules: ${name} -->\n\n\`\`\`nft\n${text}\`\`\`\n` : block,
      )
    else expect(shown.get(name)).toBe(text)
  }
})

/** Sets, maps and chains of a listing, each with its lines. */
const parts = (text: string): string[] => text.match(/^\t(?:set|map|chain) [\s\S]*?^\t\}\n/gm) ?? []
const COMMON = new Set<string>()

/** All chains, which are the same for every network. */
function chainsOf(text: string): string {
  const chains = parts(text).filter((part) => part.startsWith('\tchain'))
  for (const chain of chains) COMMON.add(chain)
  return `table inet cnm {\n${chains.join('\n')}}\n`.replaceAll('\t', '  ')
}

/** What a scenario adds: elements of sets and maps, and the chains that not every network has. */
function ownOf(text: string): string {
  return text
    .split(/^(?=table )/m)
    .map((table) => {
      const [head] = /^table .*\n/.exec(table)!
      const added = parts(table).filter((part) => (part.startsWith('\tchain') ? !COMMON.has(part) : part.includes('elements = {')))
      return `${head}${added.join('\n')}}\n`
    })
    .join('')
    .replaceAll('\t', '  ')
}
