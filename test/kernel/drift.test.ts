import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Controller, type ControllerEvents, type Endpoint, type Network, type Sandbox } from 'libcnm'
import { memory } from 'libcnm/store/memory'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { leftBehind, takeCensus, type Census } from '../census.js'
import { needs, needsPrivileges } from '../tools.js'
import { until } from './until.js'

type Repaired = ControllerEvents['repair'][0]['repaired']
const sh = (...command: string[]): string => execFileSync(command[0]!, command.slice(1), { encoding: 'utf8', stdio: 'pipe' })
const nameOf = (sandbox: Sandbox): string => sandbox.netns.split('/').pop()!
const bridgeOf = (network: Network): string => `br-${network.id.slice(0, 12)}`
const vethOf = (endpoint: Endpoint): string => `veth${endpoint.id.slice(0, 11)}`

describe.skipIf(needsPrivileges() ?? needs('ip', 'nft', 'ping', 'bridge'))('drift', () => {
  let before: Census
  let controller: Controller
  let network: Network
  let [a, b]: [Sandbox, Sandbox] = [undefined!, undefined!]
  let [ea, eb]: [Endpoint, Endpoint] = [undefined!, undefined!]
  let repairs: Repaired[]
  let warnings: string[]
  let stateDir: string

  const reaches = async (): Promise<boolean> => (await a.run('ping', ['-c1', '-W1', eb.addresses[0]!.split('/')[0]!])).code === 0
  /** What the damage made different is repaired and told: within a second, or some, where the machine is busy. */
  const repaired = async (damage: () => void, objects: RegExp): Promise<void> => {
    repairs = []
    const begun = performance.now()
    damage()
    await until(() => repairs.some((each) => each.some(({ object }) => objects.test(object)))).catch((error: Error) => {
      throw new Error(`${error.message}: ${JSON.stringify(repairs.flat().map(({ object }) => object))} ${JSON.stringify(warnings)}`)
    })
    const took = performance.now() - begun
    await until(async () => (await controller.check()).length === 0).catch(async () => {
      const left = (await controller.check()).map(({ object, problem, fields }) => ({ object, problem, fields }))
      throw new Error(`${JSON.stringify(left)} ${JSON.stringify(warnings)}`)
    })
    expect(await reaches()).toBe(true)
    expect(took).toBeLessThan(5000)
  }
  const watching = async (watch: boolean): Promise<void> => {
    controller = await Controller.open({ stateDir, instance: 'drift', store: memory(), watch })
    repairs = []
    warnings = []
    controller.on('repair', (event) => repairs.push(event.repaired))
    controller.on('warning', ({ message }) => warnings.push(message))
    network = await controller.createNetwork({ name: 'n', enableIPv6: true, options: { 'com.docker.network.driver.mtu': '1450' } })
    a = await controller.createSandbox({ name: 'a' })
    b = await controller.createSandbox({ name: 'b' })
    ea = await a.connect(network, { ports: [{ host: 18080, container: 80 }] })
    eb = await b.connect(network)
  }

  beforeEach(async () => {
    before = await takeCensus()
    stateDir = mkdtempSync(join(tmpdir(), 'cnm-'))
    await watching(true)
  })
  afterEach(async () => {
    for (const sandbox of controller.sandboxes.list()) await sandbox.delete()
    for (const each of controller.networks.list()) {
      for (const endpoint of each.endpoints) await endpoint.delete()
      await each.delete()
    }
    await controller.close()
    rmSync(stateDir, { recursive: true })
    // Forwarding stays on, as documented.
    expect(await leftBehind(before)).toEqual([])
  })

  it('flushed ruleset', () => repaired(() => sh('nft', 'flush', 'ruleset'), /^host nft-/))
  it('a chain without its rules', () => {
    const [chain] = /chain (\S+) \{\s+type filter hook forward/.exec(sh('nft', 'list', 'table', 'inet', 'drift'))!.slice(1)
    return repaired(() => sh('nft', 'flush', 'chain', 'inet', 'drift', chain!), /nft-chain/)
  })
  it('ruleset of a sandbox', () => repaired(() => sh('ip', 'netns', 'exec', nameOf(a), 'nft', 'flush', 'ruleset'), /drift-dns/))
  it('deleted bridge', () => repaired(() => sh('ip', 'link', 'del', bridgeOf(network)), /link br-/))
  it('deleted veth', () => repaired(() => sh('ip', 'link', 'del', vethOf(ea)), /link veth/))
  it('deleted interface inside', () => repaired(() => sh('ip', '-n', nameOf(b), 'link', 'del', 'eth0'), /link veth/))
  it('renamed bridge', async () => {
    await repaired(() => sh('ip', 'link', 'set', bridgeOf(network), 'name', 'mine'), /link br-/)
    sh('ip', 'link', 'del', 'mine')
  })
  it('link taken out of its bridge', () => repaired(() => sh('ip', 'link', 'set', vethOf(ea), 'nomaster'), /link veth/))
  it('link down, on the host and inside', async () => {
    await repaired(() => sh('ip', 'link', 'set', vethOf(ea), 'down'), /link veth/)
    await repaired(() => sh('ip', '-n', nameOf(a), 'link', 'set', 'eth0', 'down'), /link eth0|route/)
    expect(JSON.parse(sh('ip', '-n', nameOf(a), '-j', 'route', 'show', 'default'))).toHaveLength(1)
  })
  it('alias of the bridge, of a veth, or none', async () => {
    await repaired(() => sh('ip', 'link', 'set', bridgeOf(network), 'alias', 'mine'), /link br-/)
    await repaired(() => sh('ip', 'link', 'set', vethOf(ea), 'alias', ''), /link veth/)
  })
  it('MTU', () => repaired(() => sh('ip', 'link', 'set', bridgeOf(network), 'mtu', '1280'), /link/))
  it('addresses of host and sandbox', async () => {
    await repaired(
      () => sh('ip', 'addr', 'del', `${network.gateways[0]}/${network.subnets[0]!.split('/')[1]}`, 'dev', bridgeOf(network)),
      /address br-/,
    )
    await repaired(() => sh('ip', '-n', nameOf(a), 'addr', 'flush', 'dev', 'eth0'), /address eth0/)
  })
  it('default route inside', () => repaired(() => sh('ip', '-n', nameOf(a), 'route', 'del', 'default'), /route 4/))
  it('parameter inside', () =>
    repaired(() => sh('ip', 'netns', 'exec', nameOf(a), 'sysctl', '-w', 'net.ipv4.conf.eth0.rp_filter=0'), /sysctl/))
  it('parameter of the host', () => repaired(() => writeFileSync('/proc/sys/net/ipv4/ip_forward', '0'), /sysctl/))
  it('namespace whose name was removed: a new one takes its place, with resolver', async () => {
    await repaired(() => sh('ip', 'netns', 'del', nameOf(a)), /namespace/)
    expect(await a.resolve('b')).toContain(eb.addresses[0]!.split('/')[0])
    expect((await a.run('getent', ['hosts', 'b'])).code).toBe(0)
  })

  it('everything at once', () =>
    repaired(() => {
      sh('nft', 'flush', 'ruleset')
      sh('ip', 'link', 'del', bridgeOf(network))
      sh('ip', '-n', nameOf(b), 'addr', 'flush', 'dev', 'eth0')
      sh('ip', 'netns', 'del', nameOf(a))
    }, /link br-/))

  it('a namespace of somebody else that is gone: what was joined has left', async () => {
    sh('ip', 'netns', 'add', 'theirs')
    const theirs = await controller.createSandbox({ name: 'theirs', netns: '/run/netns/theirs' })
    const endpoint = await theirs.connect(network, { ports: [{ host: 18081, container: 80 }] })
    sh('ip', 'netns', 'del', 'theirs')
    await until(() => endpoint.sandbox === undefined)
    expect(warnings).toEqual(['sandbox theirs: its namespace /run/netns/theirs is gone'])
    await until(async () => (await controller.check()).length === 0)
    expect(sh('ip', 'link')).not.toContain(vethOf(endpoint))
    expect(repairs).toEqual([])
  })

  it('what is not ours is not touched, and raises nothing', async () => {
    sh('ip', 'link', 'add', 'foreign', 'type', 'bridge')
    sh('ip', 'addr', 'add', '10.99.0.1/24', 'dev', 'foreign')
    sh('nft', 'add', 'table', 'inet', 'foreign')
    sh('ip', '-n', nameOf(a), 'addr', 'add', '10.98.0.1/24', 'dev', 'eth0')
    sh('nft', 'delete', 'table', 'inet', 'foreign')
    sh('ip', 'link', 'del', 'foreign')
    await repaired(() => sh('ip', 'link', 'set', vethOf(eb), 'nomaster'), /link veth/)
    expect(repairs.flat().map(({ object }) => object)).toEqual([`host link ${vethOf(eb)}`])
    expect(sh('ip', '-n', nameOf(a), 'addr')).toContain('10.98.0.1/24')
  })

  it('own changes raise no repair', async () => {
    const sandboxes: Sandbox[] = []
    for (let round = 0; round < 3; round++) {
      const made = await Promise.all(Array.from({ length: 20 }, (_, i) => controller.createSandbox({ name: `s${round}-${i}` })))
      await Promise.all(made.map((sandbox) => sandbox.connect(network)))
      sandboxes.push(...made)
      await Promise.all(sandboxes.splice(0, 10).map((sandbox) => sandbox.delete()))
    }
    await Promise.all(sandboxes.map((sandbox) => sandbox.delete()))
    await new Promise((resolve) => setTimeout(resolve, 1500))
    expect(repairs.flat().map(({ object, problem, fields }) => ({ object, problem, fields }))).toEqual([])
    expect(warnings).toEqual([])
  }, 30_000)

  it('somebody who insists: it is put back less and less often, and said once', async () => {
    const begun = Date.now()
    await until(() => {
      sh('ip', 'link', 'set', vethOf(ea), 'nomaster')
      return repairs.length > 5
    }, 60_000)
    // 100, 200, 400 and 800 ms after one another.
    expect(Date.now() - begun).toBeGreaterThan(1500)
    await until(async () => (await controller.check()).length === 0, 20_000)
  }, 90_000)

  it('switched off: nothing is put back', async () => {
    for (const sandbox of controller.sandboxes.list()) await sandbox.delete()
    await network.delete()
    await controller.close()
    await watching(false)
    sh('ip', 'link', 'set', vethOf(eb), 'nomaster')
    await new Promise((resolve) => setTimeout(resolve, 1200))
    expect((await controller.check()).map(({ object }) => object)).toEqual([`host link ${vethOf(eb)}`])
    expect(repairs).toEqual([])
    expect((await controller.repair()).length).toBe(1)
    expect(await reaches()).toBe(true)
  })
})
