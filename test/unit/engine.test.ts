import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CnmError } from '../../src/contracts/errors.js'
import type { KernelObject } from '../../src/contracts/kernel-objects.js'
import type { Operation } from '../../src/contracts/operations.js'
import { canonical } from '../../src/engine/canonical.js'
import { Engine } from '../../src/engine/engine.js'
import { linkOf } from '../../src/contracts/link-of.js'
import { identity } from '../../src/engine/identity.js'

/** A kernel that holds objects by identity, insists on what the real one insists on, and can be told to refuse. */
class ModelKernel {
  objects = new Map<string, KernelObject>()
  transactions: (readonly Operation[])[] = []
  refuse: ((operation: Operation) => boolean) | undefined

  async transaction(operations: readonly Operation[]): Promise<void> {
    this.transactions.push(operations)
    const before = new Map(this.objects)
    try {
      for (const operation of operations) this.#run(operation)
    } catch (error) {
      this.objects = before
      throw error
    }
  }

  #run(operation: Operation): void {
    if (this.refuse?.(operation)) throw new CnmError('ERR_CNM_KERNEL', 'refused')
    const object = operation.do === 'change' ? operation.to : operation.object
    const id = identity(object)
    const there = this.objects.has(id)
    if (operation.do === 'create' && there) throw new Error(`EEXIST ${id}`)
    if (operation.do === 'change' && !there) throw new Error(`ENOENT ${id}`)
    if (operation.do !== 'delete') this.#needs(object)
    if (operation.do === 'delete') this.#remove(id, object)
    else this.objects.set(id, object)
  }

  #needs(object: KernelObject): void {
    if (object.kind === 'mount') return
    const link = linkOf(object)
    const needed: string[] = []
    if (link !== undefined) needed.push(`${object.at} link ${link}`)
    if (object.at !== 'host' && object.kind !== 'namespace') needed.push(`${object.at} namespace`)
    if (object.kind === 'link' && object.master !== undefined) needed.push(`${object.at} link ${object.master}`)
    for (const id of needed) if (!this.objects.has(id)) throw new Error(`ENODEV ${id} for ${identity(object)}`)
  }

  #remove(id: string, object: KernelObject): void {
    this.objects.delete(id)
    if (object.kind === 'mount') return
    for (const [other, candidate] of this.objects) {
      if (candidate.kind === 'mount' || candidate.at !== object.at) continue
      const gone = object.kind === 'namespace' || (object.kind === 'link' && linkOf(candidate) === object.name)
      if (gone) this.objects.delete(other)
    }
  }

  text(): string {
    return canonical([...this.objects.entries()].sort(([a], [b]) => (a < b ? -1 : 1)))
  }
}

const at = fc.constantFrom('host', '/run/netns/a', '/run/netns/b')
const linkName = fc.constantFrom('l0', 'l1')

/** Descriptions that make sense: every object comes with the link and namespace that it needs. */
const description = fc
  .array(
    fc.record({
      at,
      link: linkName,
      mtu: fc.constantFrom(1400, 1500),
      address: fc.option(fc.constantFrom('10.0.0.1/24', 'fd00::1/64'), { nil: undefined }),
      route: fc.option(fc.constantFrom('10.9.0.0/16', '10.8.0.0/16'), { nil: undefined }),
      sysctl: fc.option(fc.constantFrom('0', '1'), { nil: undefined }),
    }),
    { maxLength: 4 },
  )
  .map((parts) => {
    const objects = new Map<string, KernelObject>()
    const add = (object: KernelObject): void => void (objects.has(identity(object)) || objects.set(identity(object), object))
    for (const part of parts) {
      if (part.at !== 'host') add({ kind: 'namespace', at: part.at })
      add({ kind: 'link', at: part.at, name: 'br', type: 'bridge' })
      add({ kind: 'link', at: part.at, name: part.link, type: 'dummy', mtu: part.mtu, master: 'br' })
      if (part.address) add({ kind: 'address', at: part.at, link: part.link, address: part.address })
      if (part.route) add({ kind: 'route', at: part.at, destination: part.route, link: part.link })
      if (part.sysctl) add({ kind: 'sysctl', at: part.at, path: `net/ipv4/conf/${part.link}/arp_ignore`, value: part.sysctl })
    }
    return [...objects.values()]
  })

describe('engine', () => {
  it('a to b and back to a leaves the kernel as it was', async () => {
    await fc.assert(
      fc.asyncProperty(description, description, async (a, b) => {
        const kernel = new ModelKernel()
        const engine = new Engine('t', kernel)
        await engine.apply(new Map([['x', a]]))
        const before = kernel.text()
        await engine.apply(new Map([['x', b]]))
        await engine.apply(new Map([['x', a]]))
        expect(kernel.text()).toBe(before)
        await engine.apply(new Map([['x', undefined]]))
        expect(kernel.objects.size).toBe(0)
      }),
      { numRuns: 300 },
    )
  })

  it('any order of owners ends in the same kernel, and the last one to leave empties it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(description, { minLength: 2, maxLength: 4 }), fc.integer(), async (descriptions, seed) => {
        const owners = descriptions.map((objects, index) => [`owner/${index}`, objects] as const)
        const shuffled = [...owners].sort(([a], [b]) => ((a.charCodeAt(6) * seed) % 7) - ((b.charCodeAt(6) * seed) % 7))
        const [one, other] = [new ModelKernel(), new ModelKernel()]
        const results = [] as boolean[][]
        for (const [kernel, order] of [
          [one, owners],
          [other, shuffled],
        ] as const) {
          const engine = new Engine('t', kernel)
          const applied: boolean[] = []
          for (const [owner, objects] of order) {
            applied.push(
              await engine.apply(new Map([[owner, objects]])).then(
                () => true,
                (error: CnmError) => error.code !== 'ERR_CNM_DESCRIPTION_CONFLICT',
              ),
            )
          }
          results.push(applied)
        }
        // With conflicts the order decides who is refused: only then may the kernels differ.
        if (results.flat().every(Boolean)) expect(other.text()).toBe(one.text())
      }),
      { numRuns: 300 },
    )
  })

  it('a refused transaction changes neither the kernel nor what is wanted', async () => {
    await fc.assert(
      fc.asyncProperty(description, description, fc.nat(12), async (a, b, nth) => {
        const kernel = new ModelKernel()
        const engine = new Engine('t', kernel)
        await engine.apply(new Map([['x', a]]))
        const before = kernel.text()
        let count = 0
        kernel.refuse = () => count++ === nth
        const failed = await engine.apply(new Map([['x', b]])).then(
          () => false,
          () => true,
        )
        kernel.refuse = undefined
        if (failed) expect(kernel.text()).toBe(before)
        await engine.apply(new Map([['x', b]]))
        const fresh = new ModelKernel()
        await new Engine('t', fresh).apply(new Map([['x', b]]))
        expect(kernel.text()).toBe(fresh.text())
      }),
      { numRuns: 300 },
    )
  })

  it('an object that two describe exists once and goes with the last', async () => {
    const kernel = new ModelKernel()
    const engine = new Engine('t', kernel)
    const shared: KernelObject = { kind: 'link', at: 'host', name: 'eth0.100', type: 'vlan', id: 100, parent: { name: 'eth0' } }
    await engine.apply(new Map([['network/2', [shared]]]))
    await engine.apply(new Map([['network/1', [shared]]]))
    // It is opened once it is set up. The alias follows the smallest owner: a change, not a second link.
    expect(kernel.transactions.map((operations) => operations.map((operation) => operation.do))).toEqual([['create', 'change'], ['change']])
    await engine.apply(new Map([['network/1', undefined]]))
    expect(kernel.objects.size).toBe(1)
    await engine.apply(new Map([['network/2', undefined]]))
    expect(kernel.objects.size).toBe(0)
  })

  it('an object described in two ways is refused, naming both owners', async () => {
    const engine = new Engine('t', new ModelKernel())
    const link = (mtu: number): KernelObject => ({ kind: 'link', at: 'host', name: 'br0', type: 'bridge', mtu })
    await engine.apply(new Map([['network/1', [link(1500)]]]))
    await expect(engine.apply(new Map([['network/2', [link(1400)]]]))).rejects.toMatchObject({
      code: 'ERR_CNM_DESCRIPTION_CONFLICT',
      message: expect.stringMatching(/network\/1 and network\/2/) as string,
    })
  })

  it('what goes with its link is not removed by itself', async () => {
    const kernel = new ModelKernel()
    const engine = new Engine('t', kernel)
    await engine.apply(
      new Map([
        [
          'x',
          [
            { kind: 'link', at: 'host', name: 'l0', type: 'dummy' },
            { kind: 'address', at: 'host', link: 'l0', address: '10.0.0.1/24' },
            { kind: 'route', at: 'host', destination: '10.9.0.0/16', link: 'l0' },
          ],
        ],
      ]),
    )
    await engine.apply(new Map([['x', undefined]]))
    expect(kernel.transactions[1]!.map((operation) => [operation.do, operation.do !== 'change' && operation.object.kind])).toEqual([
      ['delete', 'link'],
    ])
  })

  it('two owners that come at once: the failure of one does not take away what the other relies on', async () => {
    const kernel = new ModelKernel()
    const engine = new Engine('t', kernel)
    const shared: KernelObject = { kind: 'sysctl', at: 'host', path: 'net/ipv4/ip_forward', value: '1' }
    kernel.refuse = (operation) => operation.do === 'create' && operation.object.kind === 'link' && operation.object.name === 'bad'
    const bad = engine.apply(new Map([['x', [shared, { kind: 'link', at: 'host', name: 'bad', type: 'dummy' }]]]))
    const good = engine.apply(new Map([['y', [shared]]]))
    await expect(bad).rejects.toThrow('refused')
    await good
    expect([...kernel.objects.values()]).toEqual([shared])
  })

  it('a link that must be made anew takes what is on it along', async () => {
    const kernel = new ModelKernel()
    const engine = new Engine('t', kernel)
    const vlan = (id: number): KernelObject[] => [
      { kind: 'link', at: 'host', name: 'v', type: 'vlan', id, parent: { name: 'eth0' } },
      { kind: 'address', at: 'host', link: 'v', address: '10.0.0.1/24' },
    ]
    await engine.apply(new Map([['x', vlan(1)]]))
    await engine.apply(new Map([['x', vlan(2)]]))
    const fresh = new ModelKernel()
    await new Engine('t', fresh).apply(new Map([['x', vlan(2)]]))
    expect(kernel.text()).toBe(fresh.text())
  })
})
