import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { bridge } from '../../drivers/bridge/index.js'
import type { NetworkView } from '../../src/contracts/index.js'
import { check } from '../../src/engine/check.js'
import { leftBehind, takeCensus, type Census } from '../census.js'
import { hasBridgeNetfilter, setBridgeNetfilter } from '../drivers/outside.js'
import { ask, serve, type Server } from '../drivers/reach.js'
import { bare, DriverWorld, sh, type Member } from '../drivers/world.js'
import { needs, needsPrivileges, skipping } from '../tools.js'

const FAMILIES = [4, 6] as const

const neighbours = (at: string): (string | undefined)[] =>
  (JSON.parse(sh(at, 'ip', '-j', 'neigh')) as { lladdr?: string }[]).map(({ lladdr }) => lladdr)

describe.skipIf(needsPrivileges() ?? needs('ip', 'nft', 'ping'))('between endpoints of one bridge', () => {
  for (const bridgeNetfilter of [false, true]) {
    const missing = bridgeNetfilter && !hasBridgeNetfilter()
    describe.skipIf(missing && skipping('this kernel has no br_netfilter'))(`with br_netfilter ${bridgeNetfilter ? 'on' : 'off'}`, () =>
      declare(bridgeNetfilter),
    )
  }
})

function declare(bridgeNetfilter: boolean): void {
  let world: DriverWorld
  let servers: Server[] = []
  let before: Census

  beforeAll(async () => {
    setBridgeNetfilter(bridgeNetfilter)
    world = await DriverWorld.open(bridge())
    await world.join('first', await world.network())
    await world.clear()
  })
  beforeEach(async () => {
    before = await takeCensus()
  })
  afterEach(async () => {
    for (const server of servers) server.close()
    servers = []
    await world.clear()
    expect(await leftBehind(before)).toEqual([])
  })
  afterAll(async () => {
    await world[Symbol.asyncDispose]()
    setBridgeNetfilter(false)
  })

  const member = async (name: string, network: NetworkView, labels: Record<string, string> = {}): Promise<Member> => {
    const made = await world.join(name, network, {}, { labels })
    for (const port of [80, 5432]) servers.push(await serve(world.kernel, `/run/netns/${name}`, port, `${name}${port}`))
    return made
  }
  /** Which ports of `to` answer `from`, over both protocols and families. */
  const open = async (from: Member, to: Member, wanted: number[]): Promise<number[]> => {
    const found: number[] = []
    for (const port of [80, 5432]) {
      const answers = await Promise.all(
        FAMILIES.flatMap((family) =>
          (['tcp', 'udp'] as const).map(async (protocol) => {
            for (let tries = wanted.includes(port) ? 8 : 1; tries > 0; tries--) {
              const answer = await ask(world.kernel, `/run/netns/${from.at}`, protocol, bare(to, family), port)
              if (answer !== undefined) return answer === `${to.at}${port} ${bare(from, family)}`
            }
            return false
          }),
        ),
      )
      if (answers.every((each) => each)) found.push(port)
      else expect(answers).toEqual([false, false, false, false])
    }
    return found
  }
  const expectOpen = async (from: Member, to: Member, ports: number[]): Promise<void> => expect(await open(from, to, ports)).toEqual(ports)

  it('a policy says who reaches whom, by label and by name, and can change', async () => {
    const policy = 'allow from tier=web to tier=db tcp/5432 udp/5432; allow from admin'
    const network = await world.network({ policy })
    const [web, db, admin] = [
      await member('web', network, { tier: 'web' }),
      await member('db', network, { tier: 'db' }),
      await member('admin', network),
    ]
    await expectOpen(web, db, [5432])
    await expectOpen(db, web, [])
    await expectOpen(admin, db, [80, 5432])
    await expectOpen(admin, web, [80, 5432])
    await expectOpen(web, admin, [])
    expect(await ask(world.kernel, 'host', 'tcp', bare(db, 4), 80)).toMatch('db80')
    // Nobody learns where the others are.
    for (const { at } of [web, db, admin]) expect(neighbours(at)).not.toContain(web.view.mac)
    expect(neighbours('admin')).not.toContain(db.view.mac)
    expect(await check(world.engine, world.kernel)).toEqual([])
    await world.change(network, { policy: 'allow to tier=web tcp/80 udp/80' })
    await expectOpen(web, db, [])
    await expectOpen(db, web, [80])
    await expectOpen(admin, web, [80])
    expect(await check(world.engine, world.kernel)).toEqual([])
  })

  it('an internal network may have one too', async () => {
    const network = await world.network({ policy: 'allow from a to b' }, { internal: true })
    const [a, b] = [await member('a', network), await member('b', network)]
    await expectOpen(a, b, [80, 5432])
    await expectOpen(b, a, [])
  })

  it('nobody sends under another’s MAC', async () => {
    const network = await world.network({ macspoofchk: 'true' })
    const [a, b] = [await member('a', network), await member('b', network)]
    await expectOpen(a, b, [80, 5432])
    sh('a', 'ip', 'link', 'set', 'eth0', 'address', '02:00:00:00:00:99')
    await expectOpen(a, b, [])
    sh('a', 'ip', 'link', 'set', 'eth0', 'address', a.view.mac)
  })

  it('nor under another’s address, and the host does not believe a false claim', async () => {
    const network = await world.network({ address_spoof_check: 'true' })
    const [a, b, c] = [await member('a', network), await member('b', network), await member('c', network)]
    await expectOpen(a, b, [80, 5432])
    const address = bare(c, 4)
    sh('c', 'ip', 'addr', 'flush', 'dev', 'eth0')
    sh('a', 'ip', 'addr', 'add', `${address}/24`, 'dev', 'eth0')
    expect(await ask(world.kernel, '/run/netns/a', 'tcp', bare(b, 4), 80)).toMatch('b80')
    sh('a', 'ip', 'route', 'replace', `${bare(b, 4)}/32`, 'dev', 'eth0', 'src', address)
    expect(await ask(world.kernel, '/run/netns/a', 'tcp', bare(b, 4), 80)).toBeUndefined()
    sh('a', 'ping', '-c1', '-W1', '-I', bare(a, 4), network.subnets[0]!.gateway!)
    expect(sh('host', 'ip', 'neigh', 'show', address)).toContain(c.view.mac)
  })
}
