import { describe, expect, it } from 'vitest'
import type { Place, QdiscObject } from '../../src/contracts/kernel-objects.js'
import { qdiscsOf, sorted } from './rtnetlink-iproute2.js'
import { lacks, World } from './rtnetlink-world.js'

type Options = Record<string, unknown>

const qdisc = (at: Place, fields: QdiscObject['qdisc'], parent?: QdiscObject['parent']): QdiscObject => ({
  kind: 'qdisc',
  at,
  link: 'v0',
  ...(parent === undefined ? {} : { parent }),
  qdisc: fields,
})

function withLink(): { world: World; at: Place } & Disposable {
  const world = new World()
  const at = world.place()
  world.batch(at, 'link add v0 type veth peer name v1', 'link set v0 up', 'link set v1 up')
  return { world, at, [Symbol.dispose]: () => world[Symbol.dispose]() }
}

/** Which qdiscs are where, from our own list. */
const places = (world: World, at: Place): object[] =>
  world.list('qdisc', at).map(({ link, parent, qdisc: { type } }) => (parent === undefined ? { link, type } : { link, parent, type }))

const options = (world: World, at: Place): Options => (world.show('tc', at, 'qdisc', 'show', 'dev', 'v0')[0]?.options ?? {}) as Options

const VETH = 'ip link add t0 type veth peer name t1'
const noFqCodel = lacks('fq_codel', VETH, 'tc qdisc add dev t0 root fq_codel')
const noNetem = lacks('netem', VETH, 'tc qdisc add dev t0 root netem delay 1ms')
const noIngress = lacks('ingress', VETH, 'tc qdisc add dev t0 ingress')

describe('tbf', () => {
  it.each([
    [125_000, 10_000, undefined, 25_000],
    [125_000, 10_000, 50_000, 50_000],
    [1_250_000_000, 1_000_000, 1000, 1000],
    // More than 32 bits of bytes per second.
    [12_500_000_000, 10_000_000, 1000, 1000],
    [1000, 1600, 400_000, 400_000],
    [15_000_000, 99_999, 400_000, 400_000],
    [31_000_001, 99_999, 400_000, 400_000],
  ])('of %i bytes/s, burst %i: tc(8) sees it, we read it, it is made again', (rate, burst, latency, seen) => {
    using scene = withLink()
    const { world, at } = scene
    const wanted = qdisc(at, { type: 'tbf', rate, burst, ...(latency === undefined ? {} : { latency }) })
    world.create(wanted)
    const shown = options(world, at)
    expect(shown.rate).toBe(rate)
    expect(Math.abs(Number(shown.lat) / seen - 1)).toBeLessThan(0.01)
    expect(places(world, at)).toEqual(qdiscsOf(world, at))
    const [read] = world.list('qdisc', at)
    expect(read!.qdisc).toMatchObject({ type: 'tbf', rate })
    const got = read!.qdisc as { burst: number; latency?: number }
    expect(Math.abs(got.burst - burst)).toBeLessThanOrEqual(Math.ceil((rate * 64) / 1e9))
    expect(Math.abs((got.latency ?? 25_000) / seen - 1)).toBeLessThan(0.001)
    expect(() => world.create(wanted)).toThrowError(expect.objectContaining({ errno: 17 }))
    world.remove(wanted)
    expect(qdiscsOf(world, at)).toEqual([])
    expect(() => world.remove(wanted)).toThrow()
    world.create(read!)
    expect(world.list('qdisc', at)).toEqual([read])
  })

  it('made by tc(8) is read', () => {
    using scene = withLink()
    const { world, at } = scene
    world.tc(at, 'qdisc', 'add', 'dev', 'v0', 'root', 'tbf', 'rate', '8mbit', 'burst', '20kb', 'latency', '100ms')
    expect(world.list('qdisc', at)).toEqual([qdisc(at, { type: 'tbf', rate: 1_000_000, burst: 20 * 1024, latency: 100_000 })])
    expect(world.handler('qdisc').read?.(qdisc(at, { type: 'noqueue' }), world.session)).toEqual(world.list('qdisc', at)[0])
  })

  it('lets so much through and no more', () => {
    using scene = withLink()
    const { world, at } = scene
    const b = world.place('b')
    world.create({ kind: 'link', at, type: 'veth', name: 'w0', peer: { at: b, name: 'w1' } })
    world.create({ kind: 'address', at, link: 'w0', address: '10.0.0.1/24' })
    world.create({ kind: 'address', at: b, link: 'w1', address: '10.0.0.2/24' })
    const time = (): number => {
      const [, ms] = /time (\d+)ms/.exec(world.run(at, 'ping', '-f', '-c', '100', '-s', '1000', '10.0.0.2'))!
      return Number(ms)
    }
    time()
    const free = time()
    // 100 packets of 1042 bytes at 104 kB/s take one second; the burst lets two of them pass at once.
    world.create({ ...qdisc(at, { type: 'tbf', rate: 104_200, burst: 2084, latency: 2_000_000 }), link: 'w0' })
    expect(time() - free).toBeGreaterThan(700)
  })

  it('changes in place, and to another type', () => {
    using scene = withLink()
    const { world, at } = scene
    const [slow, fast, none] = [
      qdisc(at, { type: 'tbf', rate: 1000, burst: 5000 }),
      qdisc(at, { type: 'tbf', rate: 9000, burst: 5000 }),
      qdisc(at, { type: 'noqueue' }),
    ]
    world.create(slow)
    const handle = (): unknown => world.show('tc', at, 'qdisc', 'show', 'dev', 'v0')[0]?.handle
    const before = handle()
    world.change(slow, fast)
    expect(options(world, at)).toMatchObject({ rate: 9000 })
    expect(handle()).toBe(before)
    expect(world.messages(() => world.handler('qdisc').change(fast, structuredClone(fast), world.session))).toBe(0)
    world.change(fast, none)
    expect(places(world, at)).toEqual([{ link: 'v0', type: 'noqueue' }])
    expect(places(world, at)).toEqual(qdiscsOf(world, at))
    world.create(slow, true)
    expect(world.list('qdisc', at)).toEqual([slow])
    expect(() => world.remove(none)).toThrow()
    expect(world.list('qdisc', at)).toEqual([slow])
  })
})

describe('other types', () => {
  it.skipIf(noIngress)('ingress and clsact have their own place', () => {
    using scene = withLink()
    const { world, at } = scene
    for (const parent of [undefined, 'ingress', 'clsact'] as const) {
      const wanted = qdisc(at, { type: 'ingress' }, parent)
      world.create(wanted)
      expect(places(world, at)).toEqual([{ link: 'v0', parent: parent ?? 'ingress', type: 'ingress' }])
      expect(places(world, at)).toEqual(qdiscsOf(world, at))
      world.create({ ...qdisc(at, { type: 'tbf', rate: 1000, burst: 5000 }) })
      expect(sorted(places(world, at))).toEqual(sorted(qdiscsOf(world, at)))
      world.remove(wanted)
      expect(places(world, at)).toEqual([{ link: 'v0', type: 'tbf' }])
      world.remove(qdisc(at, { type: 'tbf', rate: 1000, burst: 5000 }))
    }
  })

  it.skipIf(noFqCodel)('fq_codel', () => {
    using scene = withLink()
    const { world, at } = scene
    world.create(qdisc(at, { type: 'fq_codel' }))
    expect(world.list('qdisc', at)).toEqual([qdisc(at, { type: 'fq_codel' })])
    expect(places(world, at)).toEqual(qdiscsOf(world, at))
    world.remove(qdisc(at, { type: 'fq_codel' }))
    expect(qdiscsOf(world, at)).toEqual([])
  })

  it.skipIf(noNetem).each([
    [{ delay: 123_456 }, { delay: { delay: 0.123456 } }],
    [
      { delay: 5_000_000, limit: 50 },
      { limit: 50, delay: { delay: 5 } },
    ],
    [{ loss: 0.25 }, { 'loss-random': { loss: 0.25 } }],
    [{}, { limit: 1000 }],
  ])('netem %j', (fields, expected) => {
    using scene = withLink()
    const { world, at } = scene
    const wanted = qdisc(at, { type: 'netem', ...fields })
    world.create(wanted)
    expect(world.list('qdisc', at)).toEqual([wanted])
    expect(options(world, at)).toMatchObject(expected)
    world.change(wanted, qdisc(at, { type: 'netem', delay: 7000 }))
    expect(world.list('qdisc', at)).toEqual([qdisc(at, { type: 'netem', delay: 7000 })])
    world.remove(wanted)
    expect(qdiscsOf(world, at)).toEqual([])
  })

  it.each([
    ['type', { type: 'htb' }, undefined],
    ['rate', { type: 'tbf', rate: 0, burst: 1 }, undefined],
    ['burst', { type: 'tbf', rate: 1, burst: 1.5 }, undefined],
    ['burst', { type: 'tbf', rate: 1, burst: 1600 }, undefined],
    ['latency', { type: 'tbf', rate: 12_500_000_000, burst: 1, latency: 1_000_000 }, undefined],
    ['loss', { type: 'netem', loss: 1.5 }, undefined],
    ['flows', { type: 'fq_codel', flows: 5 }, undefined],
    ['parent', { type: 'ingress' }, 'root'],
    ['parent', { type: 'tbf', rate: 1, burst: 1 }, 'ingress'],
  ])('a bad %s is refused: %j %s', (field, fields, parent) => {
    using scene = withLink()
    const { world, at } = scene
    expect(() => world.create(qdisc(at, fields as QdiscObject['qdisc'], parent as QdiscObject['parent']))).toThrowError(
      expect.objectContaining({ code: expect.stringMatching(/^ERR_CNM_(INVALID_ARGUMENT|UNKNOWN_OPTION)$/), field }),
    )
    expect(qdiscsOf(world, at)).toEqual([])
  })
})
