import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { describeGuard, describePair } from '../../drivers/overlay/encryption.js'
import { mtuOf } from '../../drivers/overlay/mtu.js'
import { networkOptions, type OverlayOptions } from '../../drivers/overlay/network-options.js'
import { keyBytes, keyDigest } from '../../src/contracts/aead-key.js'
import type { ClusterStore, HostFacts, KernelObject, NetworkView, Operation, Store, XfrmStateObject } from '../../src/contracts/index.js'
import type { Cluster } from '../../src/controller/cluster/cluster.js'
import { deriveKey } from '../../src/controller/cluster/encryption/derive.js'
import { Encryption } from '../../src/controller/cluster/encryption/encryption.js'
import { readSender } from '../../src/controller/cluster/encryption/records.js'
import type { Core } from '../../src/controller/core.js'
import { KeyVault } from '../../src/controller/key-vault.js'
import type { Network } from '../../src/controller/network.js'
import { Engine } from '../../src/engine/engine.js'
import { memory } from '../../src/store/memory.js'

const SECRET = '5a'.repeat(32)
const LIFE = '11'.repeat(32)
const LIFETIME = 3_600_000

describe('the keys between two hosts', () => {
  const direction = { from: '192.0.2.1', to: '192.0.2.2', life: LIFE }

  it('are the same on both sides, and others in every other case', () => {
    const key = deriveKey(SECRET, direction)
    expect(deriveKey(SECRET, { ...direction })).toEqual(key)
    expect(key.key).toMatch(/^[0-9a-f]{72}$/)
    const others = [
      deriveKey('5b'.repeat(32), direction),
      deriveKey(SECRET, { ...direction, from: '192.0.2.3' }),
      deriveKey(SECRET, { ...direction, to: '192.0.2.3' }),
      deriveKey(SECRET, { from: direction.to, to: direction.from, life: LIFE }),
      deriveKey(SECRET, { ...direction, life: '12'.repeat(32) }),
    ]
    expect(new Set([key, ...others].map((each) => each.key)).size).toBe(6)
    expect(new Set([key, ...others].map((each) => each.spi)).size).toBe(6)
  })

  it('have an SPI that the protocol does not keep for itself', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (secret) => {
        const { spi } = deriveKey(Buffer.from(secret).toString('hex'), direction)
        expect(spi).toBeGreaterThanOrEqual(256)
        expect(spi).toBeLessThanOrEqual(0xffff_ffff)
      }),
    )
  })

  it('are in no error, not even of a record that is wrong', () => {
    const value = { version: 1, life: LIFE, round: 0, secrets: [{ id: 1, secret: `${SECRET}zz` }] }
    const entry = { key: 'encryption/key/host1', value, version: 1 }
    expect(() => readSender(entry)).toThrow(/^cluster record encryption\/key\/host1: secrets\.0\.secret: expected 32 bytes in hex$/)
  })
})

const state = (key: string): XfrmStateObject => ({
  kind: 'xfrm-state',
  at: 'host',
  source: '192.0.2.1',
  destination: '192.0.2.2',
  spi: 4096,
  aead: { name: 'rfc4106(gcm(aes))', key, icvBits: 128 },
})

describe('the vault', () => {
  it('puts keys in their places on the way to the kernel, and nothing else on any other way', async () => {
    const sent: Operation[][] = []
    const vault = new KeyVault()
    const engine = new Engine('cnm', vault.revealingTo({ transaction: async (operations) => sent.push([...operations]) }))
    const key = vault.keep(SECRET)
    expect(key).toBe(keyDigest(keyBytes(SECRET)))
    await engine.apply(new Map([['network/n', [state(key)]]]))
    await engine.apply(new Map([['network/n', undefined]]))
    expect(sent).toEqual([[{ do: 'create', object: state(SECRET) }], [{ do: 'delete', object: state(key), missing: 'ignore' }]])
    expect(JSON.stringify([...engine.wanted.identities(), ...engine.believed()])).not.toContain(SECRET)
  })

  it('says so when it does not have a key, and the engine knows what became of one', async () => {
    const vault = new KeyVault()
    const engine = new Engine('cnm', vault.revealingTo({ transaction: async () => undefined }))
    const key = keyDigest(keyBytes(SECRET))
    await expect(engine.apply(new Map([['network/n', [state(key)]]]))).rejects.toMatchObject({ code: 'ERR_CNM_NOT_SUPPORTED' })
    vault.keep(SECRET)
    expect(engine.keyUse.of('sha256:00')).toBe('unused')
    await engine.apply(new Map([['network/n', [state(key)]]]))
    expect(engine.keyUse.of(key)).toBe('held')
    await engine.apply(new Map([['network/n', undefined]]))
    expect(engine.keyUse.of(key)).toBe('gone')
  })
})

const facts = (address: string, mtu = 1500): HostFacts => ({
  instance: 'cnm',
  defaultRoute: {},
  ipv6: true,
  bridgeNetfilter: [],
  forwardDrops: [],
  node: { name: 'here', address, link: 'up0' },
  links: new Map([['up0', { name: 'up0', index: 2, type: 'device', mtu, up: true, addresses: [] }]]),
})
const viewOf = (options: OverlayOptions): NetworkView<OverlayOptions> => ({ options }) as NetworkView<OverlayOptions>

describe('options of an encrypted network', () => {
  it('are those that users of Docker know, and more', () => {
    for (const raw of [{ encrypted: '' }, { encrypted: 'true' }, { encryption: 'ipsec' }, { encrypted: '1', encryption: 'ipsec' }])
      expect(networkOptions(raw as Record<string, string>)).toMatchObject({ encrypted: true, port: 4788 })
    expect(networkOptions({ encrypted: '', port: '5000' })).toMatchObject({ encrypted: true, port: 5000 })
    for (const raw of [{}, { encrypted: 'false' }])
      expect(networkOptions(raw as Record<string, string>)).toMatchObject({ encrypted: false, port: 4789 })
  })

  it.each([{ encrypted: 'maybe' }, { encrypted: 'false', encryption: 'ipsec' }, { encryption: 'wireguard' }, { encryption: 'none' }])(
    'are refused: %o',
    (raw) => {
      expect(() => networkOptions(raw as Record<string, string>)).toThrow(
        expect.objectContaining({ code: 'ERR_CNM_INVALID_ARGUMENT', field: expect.stringMatching(/^options\.encrypt/) }),
      )
    },
  )

  it.each([
    ['192.0.2.1', 1500, 1416],
    ['192.0.2.1', 1499, 1412],
    ['192.0.2.1', 9000, 8916],
    ['2001:db8::1', 1500, 1396],
  ])('leave room for ESP: from %s on %i bytes', (address, underlay, expected) => {
    const mtu = mtuOf(viewOf(networkOptions({ encrypted: '' })), facts(address, underlay))
    expect(mtu).toBe(expected)
    // Ethernet, VXLAN, UDP; the trailer; up to a multiple of four; then SPI, sequence number, IV, tag, IP.
    const packet = (inner: number): number => Math.ceil((inner + 14 + 8 + 8 + 2) / 4) * 4 + 8 + 8 + 16 + (address.includes(':') ? 40 : 20)
    expect(packet(mtu)).toBeLessThanOrEqual(underlay)
    expect(packet(mtu + 4)).toBeGreaterThan(underlay)
  })

  it('without a key nothing may pass, from or to anybody', () => {
    const network = viewOf(networkOptions({ encrypted: '' }))
    const guard = describeGuard(network, facts('192.0.2.1'))
    const policies = guard.filter((object) => object.kind === 'xfrm-policy')
    expect(policies.map(({ direction, action, source, destination }) => [direction, action, source, destination])).toEqual([
      ['out', 'block', '192.0.2.1/32', '0.0.0.0/0'],
      ['in', 'block', '0.0.0.0/0', '0.0.0.0/0'],
    ])
    const view = { node: { name: 'there', address: '192.0.2.2' }, out: [], in: [] }
    const pair = describePair(view, network, facts('192.0.2.1'))
    expect(pair.map((object) => object.kind === 'xfrm-policy' && object.direction)).toEqual(['in'])
  })
})

/** What the kernel of a host holds, in the order in which it came. Fails where a key is used a second time. */
class StateTable {
  readonly states = new Map<string, XfrmStateObject>()
  readonly #made = new Set<string>()
  readonly #address: string
  constructor(address: string) {
    this.#address = address
  }
  transaction = async (operations: readonly Operation[]): Promise<void> => {
    for (const operation of operations) {
      if (operation.do === 'change' || operation.object.kind !== 'xfrm-state') continue
      const { object } = operation
      const id = `${object.destination} ${object.spi}`
      if (operation.do === 'delete') this.states.delete(id)
      else {
        expect(object.aead.key).toMatch(/^[0-9a-f]{72}$/)
        if (object.source === this.#address) expect(this.#made, 'a key is used for sending once').not.toContain(object.aead.key)
        this.#made.add(object.aead.key)
        expect(this.states).not.toContain(id)
        this.states.set(id, object)
      }
    }
  }
  /** What the kernel sends with: the newest. */
  sending(to: string): string | undefined {
    return this.to(to).at(-1)?.aead.key
  }
  to(destination: string): XfrmStateObject[] {
    return [...this.states.values()].filter((each) => each.destination === destination)
  }
  receives(key: string): boolean {
    return [...this.states.values()].some((each) => each.aead.key === key)
  }
}

/** A store in memory, with what a store of a cluster has beside. */
const shared = (store: Store): Pick<ClusterStore, 'get' | 'commit' | 'follow'> => ({
  get: (key) => store.get(key),
  commit: (changes) => store.commit(changes),
  async *follow(prefix, signal) {
    const changes = store.watch(prefix, signal)
    yield { version: 0, put: await store.list(prefix), deleted: [] }
    yield* changes
  },
})

/** Hosts without kernels: descriptions arrive in the tables late, each after a time of its own. */
class Hosts {
  readonly store: Store = memory()
  readonly hosts: SimulatedHost[]
  readonly #delays: () => number
  readonly #established = new Set<string>()
  /** Between whom something was sent that was not received. */
  lost: string[] = []

  constructor(count: number, delays: () => number) {
    this.#delays = delays
    this.hosts = Array.from({ length: count }, (_, index) => new SimulatedHost(this, index))
  }
  delay(): number {
    return this.#delays()
  }
  /** Once packets get from one host to another, they always do. */
  check(): void {
    for (const from of this.hosts)
      for (const to of this.hosts) {
        if (to === from) continue
        const key = from.table.sending(to.address)
        const arrives = key !== undefined && to.table.receives(key)
        const name = `${from.name} to ${to.name}`
        if (arrives) this.#established.add(name)
        else if (this.#established.has(name)) this.lost.push(name)
      }
  }
}

class SimulatedHost {
  readonly name: string
  readonly address: string
  readonly table: StateTable
  readonly encryption: Encryption
  readonly engine: Engine
  readonly network: Network
  /** Hosts that have something on the network. */
  readonly nodes = new Map<string, number>()
  readonly failures: unknown[] = []
  readonly #all: Hosts
  #pending = new Map<string, NodeJS.Timeout>()

  constructor(all: Hosts, index: number) {
    this.#all = all
    this.name = `host${index}`
    this.address = `192.0.2.${index + 1}`
    this.table = new StateTable(this.address)
    const keys = new KeyVault()
    this.engine = new Engine('cnm', keys.revealingTo(this.table))
    this.network = { id: 'n', name: 'n', parts: new Map(), guardedDriver: { pairKeys: () => true }, view: () => ({}) } as unknown as Network
    const cluster = {
      store: shared(all.store),
      node: { name: this.name, address: this.address },
      nodes: { present: (name: string) => ({ name, address: `192.0.2.${Number(name.slice(4)) + 1}` }) },
      inTouch: true,
      peers: () => ({ nodes: this.nodes }),
      orLater: (work: () => Promise<void>) => work(),
      failed: (error: unknown) => this.failures.push(error),
    } as unknown as Cluster
    const core = {
      keys,
      engine: this.engine,
      kernel: { probe: async () => ({ features: { 'xfrm-esp': { available: true } } }) },
      redescriptions: { changed: (_id: string, part?: string) => this.#describeSoon(part) },
    } as unknown as Core
    this.encryption = new Encryption(cluster, core, LIFETIME)
  }

  async meet(others: readonly SimulatedHost[]): Promise<void> {
    for (const { name } of others) if (name !== this.name) this.nodes.set(name, 1)
    await this.encryption.enter(this.network)
    this.#describeSoon()
  }
  part(other: SimulatedHost): void {
    this.nodes.delete(other.name)
    this.encryption.peersChanged(this.network, [other.name])
  }
  meetAgain(other: SimulatedHost): void {
    this.nodes.set(other.name, 1)
    this.encryption.peersChanged(this.network, [other.name])
  }
  get secrets(): Promise<number> {
    return this.#all.store.get(`encryption/key/${this.name}`).then((entry) => readSender(entry!).secrets.length)
  }

  #describeSoon(part?: string): void {
    const names = part === undefined ? [...this.nodes.keys()].map((node) => `node:${node}`) : [part]
    for (const name of names) {
      if (this.#pending.has(name)) continue
      this.#pending.set(
        name,
        setTimeout(() => {
          this.#pending.delete(name)
          this.#describe(name).catch((error: unknown) => this.failures.push(error))
        }, this.#all.delay()),
      )
    }
  }

  async #describe(name: string): Promise<void> {
    const view = this.encryption.pairs(this.network)?.get(name.slice('node:'.length))
    const network = { options: { port: 4788 } } as NetworkView<OverlayOptions>
    const description: KernelObject[] = view === undefined ? [] : [...describePair(view, network, facts(this.address))]
    await this.engine.apply(new Map([[`network/n/${name}`, description]]))
    if (description.length === 0) this.network.parts.delete(name)
    else this.network.parts.set(name, { kind: 'part', version: 1, network: 'n', name, description })
    this.encryption.applied()
    this.#all.check()
  }
}

describe('a change of keys', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  /** Delays of up to three seconds, another one each time. */
  const delays = (seed: number): (() => number) => {
    let now = seed
    return () => (now = (now * 48271 + 11) % 0x7fffffff) % 3000
  }
  async function together(count: number, seed: number): Promise<Hosts> {
    const all = new Hosts(count, delays(seed))
    await Promise.all(all.hosts.map((host) => host.meet(all.hosts)))
    await vi.advanceTimersByTimeAsync(60_000)
    return all
  }
  const settled = async ({ hosts }: Hosts): Promise<void> => {
    await vi.advanceTimersByTimeAsync(60_000)
    for (const host of hosts) {
      expect(host.failures).toEqual([])
      expect(await host.secrets).toBe(1)
      for (const other of hosts) {
        if (other === host) continue
        expect(host.table.to(other.address)).toHaveLength(1)
        expect(other.table.receives(host.table.sending(other.address)!)).toBe(true)
      }
      expect(host.table.to(host.address)).toHaveLength(hosts.length - 1)
    }
  }

  it('loses nothing, however late each host follows', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 0x7ffffffe }), fc.array(fc.nat(2000), { maxLength: 6 }), async (seed, pauses) => {
        const all = await together(3, seed)
        await settled(all)
        const before = all.hosts.map(({ table }) => [...table.states.keys()])
        for (const [index, pause] of [0, ...pauses].entries()) {
          await vi.advanceTimersByTimeAsync(pause)
          await all.hosts[index % 3]!.encryption.rotate()
        }
        await settled(all)
        expect(all.lost).toEqual([])
        for (const [index, { table }] of all.hosts.entries()) for (const id of table.states.keys()) expect(before[index]).not.toContain(id)
        for (const { encryption } of all.hosts) encryption.close()
      }),
      { numRuns: 10 },
    )
  })

  it('comes by itself when their time is over, for all hosts together', async () => {
    const all = await together(3, 7)
    await settled(all)
    const before = all.hosts.map(({ table }) => [...table.states.keys()])
    await vi.advanceTimersByTimeAsync(LIFETIME)
    await settled(all)
    expect(all.lost).toEqual([])
    for (const [index, { table }] of all.hosts.entries()) for (const id of table.states.keys()) expect(before[index]).not.toContain(id)
    const rounds = (await all.store.list('encryption/key/')).map((entry) => readSender(entry).round)
    expect(new Set(rounds).size).toBe(1)
    for (const { encryption } of all.hosts) encryption.close()
  })

  it('waits for a host that says nothing, and goes on with the others', async () => {
    const all = await together(3, 11)
    await settled(all)
    const [a, b, c] = all.hosts as [SimulatedHost, SimulatedHost, SimulatedHost]
    c.encryption.close()
    const old = a.table.sending(c.address)
    await a.encryption.rotate()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(a.table.sending(c.address)).toBe(old)
    expect(await a.secrets).toBe(2)
    expect(a.table.to(b.address)).toHaveLength(2)
    await a.encryption.rotate()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(await a.secrets).toBe(2)
    expect(a.table.sending(c.address)).toBe(old)
    expect(all.lost).toEqual([])
    for (const { encryption } of all.hosts) encryption.close()
  })

  it('no key serves a second time, when hosts part and meet again, or states are lost', async () => {
    const all = await together(3, 13)
    await settled(all)
    const [a, b] = all.hosts as [SimulatedHost, SimulatedHost]
    for (let round = 0; round < 3; round++) {
      a.part(b)
      b.part(a)
      await vi.advanceTimersByTimeAsync(10_000)
      expect(a.table.to(b.address)).toEqual([])
      a.meetAgain(b)
      // One that did not notice goes on where it was.
      if (round < 2) b.meetAgain(a)
      else b.nodes.set(a.name, 1)
      await vi.advanceTimersByTimeAsync(10_000)
      b.meetAgain(a)
      await settled(all)
    }
    const lost = new Set(a.table.states.keys())
    a.encryption.lost()
    await settled(all)
    for (const id of a.table.states.keys()) expect(lost).not.toContain(id)
    for (const { encryption } of all.hosts) encryption.close()
  })

  it('a host that leaves takes its secrets along, and comes back with others', async () => {
    const all = await together(2, 17)
    await settled(all)
    const [a, b] = all.hosts as [SimulatedHost, SimulatedHost]
    const life = async (): Promise<string> => readSender((await all.store.get('encryption/key/host0'))!).life
    const before = await life()
    a.encryption.leave(a.network)
    b.part(a)
    await vi.advanceTimersByTimeAsync(10_000)
    expect((await all.store.list('encryption/')).map(({ key }) => key)).toEqual(['encryption/ack/host1', 'encryption/key/host1'])
    await a.engine.apply(new Map([['network/n/node:host1', undefined]]))
    a.network.parts.clear()
    b.meetAgain(a)
    await a.meet(all.hosts)
    await settled(all)
    expect(await life()).not.toBe(before)
    for (const { encryption } of all.hosts) encryption.close()
  })
})
