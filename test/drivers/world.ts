import { execFile, execFileSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Description, EndpointView, NetworkDriver, NetworkView, PortView } from '../../src/contracts/index.js'
import { readHostFacts } from '../../src/controller/host-facts.js'
import { resolvePlaces } from '../../src/controller/places.js'
import { Engine } from '../../src/engine/engine.js'
import { Kernel } from 'libcnm/kernel'
import { endpointView, networkView } from './views.js'

export const INSTANCE = 'drvtest'

/** Lines of output of a program in a namespace (`host`: this one). */
export const sh = (at: string, ...command: string[]): string =>
  execFileSync(at === 'host' ? command[0]! : 'ip', at === 'host' ? command.slice(1) : ['netns', 'exec', at, ...command], {
    encoding: 'utf8',
  })

/** Rules as nft(8) reads them from a file. */
export const nft = (text: string): string => execFileSync('nft', ['-f', '-'], { input: text, encoding: 'utf8' })

const run = promisify(execFile)

/** Whether a program ends well. */
export const succeeds = (at: string, ...command: string[]): Promise<boolean> =>
  run(at === 'host' ? command[0]! : 'ip', at === 'host' ? command.slice(1) : ['netns', 'exec', at, ...command]).then(
    () => true,
    () => false,
  )

interface Member {
  /** Name of the sandbox's namespace. */
  at: string
  view: EndpointView
  network: NetworkView
}

/** A driver on a real kernel without a controller: the test's own namespace is the host, sandboxes are named ones. */
export class DriverWorld implements AsyncDisposable {
  readonly kernel: Kernel
  readonly engine: Engine
  readonly #driver: NetworkDriver
  readonly networks = new Map<string, NetworkView>()
  readonly members = new Map<string, Member>()
  #count = 0

  private constructor(kernel: Kernel, driver: NetworkDriver) {
    this.kernel = kernel
    this.engine = new Engine(INSTANCE, kernel)
    this.#driver = driver
  }

  static async open(driver: NetworkDriver): Promise<DriverWorld> {
    const world = new DriverWorld(await Kernel.open(), driver)
    await driver.start?.({
      instance: INSTANCE,
      directory: '/nonexistent',
      changed: () => undefined,
      networks: () => [...world.networks.values()],
      warn: (message) => world.warnings.push(message),
    })
    return world
  }

  readonly warnings: string[] = []

  /** A network `10.<n>.0.0/24` and `fd00:<n>::/64`, with gateways, unless `more` says otherwise. */
  async network(raw: Record<string, string> = {}, more: Partial<NetworkView> = {}): Promise<NetworkView> {
    const number = ++this.#count + 100
    const id = number.toString(16).padStart(4, '0').repeat(16)
    const { internal = false, ipv6 = true } = more
    const draft = networkView(this.#driver, raw, { id, shortId: id.slice(0, 12), name: `net${number}`, ipv6, ...more })
    const gateway = (family: 4 | 6): boolean => (this.#driver.gateway?.(draft.options, family, internal) ?? 'always') === 'always'
    const subnets = [
      { subnet: `10.${number}.0.0/24`, family: 4 as const, reserved: {}, ...(gateway(4) && { gateway: `10.${number}.0.1` }) },
      { subnet: `fd00:${number}::/64`, family: 6 as const, reserved: {}, ...(gateway(6) && { gateway: `fd00:${number}::1` }) },
    ]
    const planned = { ...draft, subnets: more.subnets ?? subnets.filter(({ family }) => family === 4 || ipv6) }
    const state = await this.#driver.beforeCreate?.(planned, await this.facts(planned), AbortSignal.timeout(5000))
    const network: NetworkView = { ...planned, ...(state !== undefined && { state }) }
    await this.#apply(`network/${id}`, this.#driver.network(network, await this.facts(network)), network)
    this.networks.set(id, network)
    return network
  }

  async removeNetwork(network: NetworkView): Promise<void> {
    await this.engine.apply(new Map([[`network/${network.id}`, undefined]]))
    this.networks.delete(network.id)
  }

  /** A sandbox `name` with one endpoint; addresses count up from .2. */
  async join(name: string, network: NetworkView, raw: Record<string, string> = {}, more: Partial<EndpointView> = {}): Promise<Member> {
    const number = ++this.#count + 100
    const id = (number + 0x1000).toString(16).padStart(4, '0').repeat(16)
    if (
      !sh('host', 'ip', 'netns', 'list')
        .split('\n')
        .some((line) => line.split(' ')[0] === name)
    ) {
      sh('host', 'ip', 'netns', 'add', name)
      sh(name, 'ip', 'link', 'set', 'lo', 'up')
    }
    const last = 2 + [...this.members.values()].filter((member) => member.network.id === network.id).length
    const addresses = network.subnets.map(({ subnet, family, gateway }) => {
      const [base, bits] = subnet.split('/')
      const address = family === 4 ? base!.replace(/0$/, String(last)) : `${base}${last.toString(16)}`
      return { address: `${address}/${bits}`, family, ...(gateway !== undefined && { gateway }) }
    })
    const mac = `02:42:0a:00:00:${number.toString(16).padStart(2, '0')}`
    const draft = endpointView(this.#driver, raw, { id, shortId: id.slice(0, 12), name, mac, addresses, ...more })
    const state = await this.#driver.beforeJoin?.(draft, network, await this.facts(network), AbortSignal.timeout(5000))
    const member: Member = { at: name, view: { ...draft, ...(state !== undefined && { state }) }, network }
    await this.describe(member)
    this.members.set(id, member)
    await this.#forwarding(member)
    return member
  }

  /** The kernel opens a bridge port in its own time, which is long on a busy machine. */
  async #forwarding(member: Member): Promise<void> {
    const description = this.#driver.endpoint(member.view, member.network, await this.facts(member.network))
    const port = description.find((object) => object.kind === 'link' && object.at === 'host')
    if (port?.kind !== 'link' || port.master === undefined) return
    for (let tries = 0; tries < 200; tries++) {
      const [link] = JSON.parse(sh('host', 'bridge', '-j', 'link', 'show', 'dev', port.name)) as { state?: string }[]
      if (link?.state === 'forwarding') return
      await sleep(10)
    }
  }

  /** Applies what the driver says of the endpoint now, as after a change of its ports. */
  async describe(member: Member, ports: readonly PortView[] = member.view.ports): Promise<void> {
    member.view = { ...member.view, ports }
    const description = this.#driver.endpoint(member.view, member.network, await this.facts(member.network))
    await this.#apply(`endpoint/${member.view.id}`, description, member.network, `/run/netns/${member.at}`)
  }

  /** Gives a network other options, as they are; its endpoints follow. */
  async change(network: NetworkView, raw: Record<string, string>): Promise<void> {
    const changed: NetworkView = { ...network, options: this.#driver.networkOptions(raw) }
    this.networks.set(network.id, changed)
    const members = [...this.members.values()].filter((member) => member.network.id === network.id)
    const facts = await this.facts(changed)
    const changes = new Map<string, Description>([[`network/${network.id}`, this.#resolve(this.#driver.network(changed, facts), changed)]])
    for (const member of members) {
      member.network = changed
      const description = this.#driver.endpoint(member.view, changed, facts)
      changes.set(`endpoint/${member.view.id}`, this.#resolve(description, changed, `/run/netns/${member.at}`))
    }
    await this.engine.apply(changes)
  }

  async leave(member: Member): Promise<void> {
    await this.engine.apply(new Map([[`endpoint/${member.view.id}`, undefined]]))
    this.members.delete(member.view.id)
  }

  facts(network: NetworkView) {
    return readHostFacts(this.kernel, INSTANCE, this.#driver.hostLinks?.(network) ?? [])
  }

  async #apply(owner: string, description: Description, network: NetworkView, sandbox?: string): Promise<void> {
    await this.engine.apply(new Map([[owner, this.#resolve(description, network, sandbox)]]))
  }

  #resolve(description: Description, network: NetworkView, sandbox?: string): Description {
    return resolvePlaces(description, { instance: INSTANCE, driver: this.#driver.name, networkId: network.id, sandbox })
  }

  async clear(): Promise<void> {
    const names = new Set([...this.members.values()].map(({ at }) => at))
    for (const member of [...this.members.values()]) await this.leave(member)
    for (const network of [...this.networks.values()]) await this.removeNetwork(network)
    for (const name of names) sh('host', 'ip', 'netns', 'delete', name)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.clear()
    await this.#driver.stop?.()
    await this.kernel.close()
  }
}

export const bare = (member: Member, family: 4 | 6): string =>
  member.view.addresses.find((each) => each.family === family)!.address.split('/')[0]!
export type { Member }
