import { deepStrictEqual } from 'node:assert/strict'
import type { Description, Owner } from '../contracts/description.js'
import type { KernelObject, KernelObjectKind, Place } from '../contracts/kernel-objects.js'
import { resolvePlaces } from '../controller/places.js'
import { canonical } from '../engine/canonical.js'
import { check } from '../engine/check.js'
import { Engine } from '../engine/engine.js'
import { Kernel } from '../kernel/index.js'
import { prepareScene, withStarted, type DriverConformance, type DriverSample, type Scene } from './driver-conformance.js'

export interface DriverKernelConformance extends DriverConformance {
  /** What the samples need on the host (a parent device, a bridge); described in the place `host`. */
  prepare?: Description
  /** Default: whether the process runs as root. Without it nothing is declared, and the reason is printed. */
  privileged?: boolean
}

const INSTANCE = 'conform'
const COUNTED: readonly KernelObjectKind[] = [
  ...(['link', 'address', 'route', 'policy-rule', 'bridge-vlan'] as const),
  ...(['nft-table', 'nft-chain', 'nft-set', 'nft-element', 'xfrm-state', 'xfrm-policy'] as const),
]

/**
 * Declares tests that carry descriptions out, in namespaces made for them: the host's own is not touched. What is
 * described must be what the kernel then has, and nothing may stay behind.
 */
export function driverKernelConformance(options: DriverKernelConformance): void {
  const { driver, samples = [{ title: 'no options' }], prepare = [], privileged = process.getuid?.() === 0, describe, it } = options
  if (!privileged) {
    process.stdout.write('SKIP driver on a kernel: needs root\n')
    return
  }
  describe('driver on a kernel', () => {
    for (const sample of samples) {
      it(`${sample.title}: comes as described, and goes without a trace`, async () => {
        const scene = prepareScene(driver(), sample)
        await withStarted(scene, (started) => comeAndGo(started, sample, prepare))
      })
    }
  })
}

async function comeAndGo(
  { driver, host, networks: [network], endpoints }: Scene,
  sample: DriverSample,
  prepare: Description,
): Promise<void> {
  await using stage = await Stage.open(prepare)
  const described = (description: Description, sandbox?: Place): Description =>
    resolvePlaces(description, { instance: INSTANCE, driver: driver.name, networkId: network.id, sandbox }).map(stage.relocate)
  const empty = await stage.census()
  await stage.apply(`network/${network.id}`, described(driver.network(network, host)))
  const alone = await stage.census()
  for (const [index, endpoint] of endpoints.entries()) {
    await stage.apply(`endpoint/${endpoint.id}`, described(driver.endpoint(endpoint, network, host), stage.sandboxes[index]))
  }
  deepStrictEqual(await stage.deviations(), [], `${sample.title}: the kernel has something else than what was described`)
  for (const endpoint of endpoints) await stage.apply(`endpoint/${endpoint.id}`, undefined)
  deepStrictEqual(await stage.census(), alone, `${sample.title}: an endpoint left something behind`)
  await stage.apply(`network/${network.id}`, undefined)
  deepStrictEqual(await stage.census(), empty, `${sample.title}: the network left something behind`)
}

/** Routes that the kernel makes by itself come and go with the carrier of their link, in its own time. */
const KERNEL_MADE = 2
const isLasting = (object: KernelObject): boolean => object.kind !== 'route' || object.protocol !== KERNEL_MADE

/** Namespaces that play the host and two sandboxes. */
class Stage implements AsyncDisposable {
  readonly sandboxes: readonly [Place, Place]
  readonly #host: Place
  readonly #kernel: Kernel
  readonly #engine: Engine

  private constructor(kernel: Kernel) {
    const prefix = `/run/netns/${INSTANCE}-${process.pid}`
    this.#host = `${prefix}-host`
    this.sandboxes = [`${prefix}-a`, `${prefix}-b`]
    this.#kernel = kernel
    this.#engine = new Engine(INSTANCE, kernel)
  }

  static async open(prepare: Description): Promise<Stage> {
    const stage = new Stage(await Kernel.open())
    const objects = [...stage.#namespaces(), ...prepare.map(stage.relocate)]
    await stage.#kernel.transaction(objects.map((object) => ({ do: 'create', object })))
    return stage
  }

  #namespaces(): KernelObject[] {
    return [this.#host, ...this.sandboxes].map((at) => ({ kind: 'namespace', at }))
  }

  /** Puts the stage's host in place of the real one. */
  readonly relocate = (object: KernelObject): KernelObject => {
    if (object.kind === 'mount') return object
    const move = <T extends { at?: Place }>(part: T): T => (part.at === 'host' ? { ...part, at: this.#host } : part)
    const moved = move(object)
    if (moved.kind !== 'link') return moved
    if (moved.type === 'veth') return { ...moved, peer: move(moved.peer) }
    if (moved.type === 'vxlan' && moved.underlay === 'host') return { ...moved, underlay: this.#host }
    return 'parent' in moved && moved.parent !== undefined ? { ...moved, parent: move(moved.parent) } : moved
  }

  apply(owner: Owner, description: Description | undefined): Promise<void> {
    return this.#engine.apply(new Map([[owner, description]]))
  }

  async deviations(): Promise<string[]> {
    const found = await check(this.#engine, this.#kernel)
    return found.map(({ object, problem, fields = [] }) => `${object}: ${problem} ${fields.join(', ')}`)
  }

  /** Everything of the counted kinds; a kind that this kernel does not have counts as nothing. */
  async census(): Promise<string[]> {
    const lists = [this.#host, ...this.sandboxes].flatMap((at) =>
      COUNTED.map((kind) => this.#kernel.list(at, [kind]).catch((): KernelObject[] => [])),
    )
    return (await Promise.all(lists)).flat().filter(isLasting).map(canonical).sort()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#kernel.transaction(this.#namespaces().map((object) => ({ do: 'delete', object, missing: 'ignore' })))
    await this.#kernel.close()
  }
}
