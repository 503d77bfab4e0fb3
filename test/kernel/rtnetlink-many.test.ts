import { spawn } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { KernelObject, Place } from '../../src/contracts/kernel-objects.js'
import { addressesOf as addressesOfLink, listRoutes } from '../../src/kernel/rtnetlink/index.js'
import { addressesOf, fdbOf, linksOf, neighboursOf, routesOf, sorted } from './rtnetlink-iproute2.js'
import { World } from './rtnetlink-world.js'

const COUNT = 5000

const each = <T>(make: (i: number) => T): T[] => Array.from({ length: COUNT }, (_, i) => make(i))
const low = (i: number): string => `${i >> 8}.${i & 255}`

describe(`${COUNT} objects of a kind`, () => {
  let world: World
  let at: Place

  beforeAll(() => {
    world = new World()
    at = world.place()
    world.batch(
      at,
      'link add v0 type veth peer name v1',
      'link set v0 addrgenmode none',
      'link set v1 addrgenmode none',
      'link set v0 up',
      'link set v1 up',
      'link add vx0 type vxlan id 5 dstport 4789',
    )
  })
  afterAll(() => world[Symbol.dispose]())

  /** Writes all, sends, and tells which ones the kernel has then. */
  const make = (objects: readonly KernelObject[]): void => {
    for (const object of objects) world.handler(object.kind as 'route').create(object as never, world.session, false)
    world.session.flush()
  }
  const unmake = (objects: readonly KernelObject[]): void => {
    for (const object of objects) world.handler(object.kind as 'route').remove(object as never, world.session)
    world.session.flush()
  }

  it('addresses', () => {
    const wanted = each(
      (i) =>
        ({
          kind: 'address',
          at,
          link: 'v0',
          address: i % 2 === 0 ? `10.0.${low(i)}/32` : `fd00::${i.toString(16)}/128`,
          ...(i % 2 === 0 ? {} : { noDad: true }),
        }) as const,
    )
    make(wanted)
    expect(sorted(world.list('address', at))).toEqual(sorted(wanted))
    expect(sorted(addressesOf(world, at))).toEqual(sorted(wanted))
    expect(addressesOfLink(world.session, at, 'v0')).toHaveLength(COUNT)
    expect(addressesOfLink(world.session, at, 'v1')).toEqual([])
    unmake(wanted)
    expect(world.list('address', at)).toEqual([])
  })

  it('routes', () => {
    const wanted = each(
      (i) =>
        ({
          kind: 'route',
          at,
          destination: i % 2 === 0 ? `10.1.${low(i)}/32` : `fd01::${i.toString(16)}/128`,
          link: 'v0',
          table: 700,
        }) as const,
    )
    make(wanted)
    expect(sorted(world.list('route', at).filter(({ table }) => table === 700))).toEqual(sorted(wanted))
    expect(sorted(routesOf(world, at).filter(({ table }) => table === 700))).toEqual(sorted(wanted))
    expect(listRoutes(world.session, at, { table: 700, link: 'v0' })).toHaveLength(COUNT)
    unmake(wanted)
    expect(listRoutes(world.session, at, { table: 700 })).toEqual([])
  })

  it('neighbours', () => {
    const wanted = each(
      (i) =>
        ({
          kind: 'neighbour',
          at,
          link: 'v0',
          address: i % 2 === 0 ? `10.2.${low(i)}` : `fd02::${i.toString(16)}`,
          mac: `02:00:00:00:${(i >> 8).toString(16).padStart(2, '0')}:${(i & 255).toString(16).padStart(2, '0')}`,
        }) as const,
    )
    make(wanted)
    expect(sorted(world.list('neighbour', at))).toEqual(sorted(wanted))
    expect(sorted(neighboursOf(world, at))).toEqual(sorted(wanted))
    unmake(wanted)
    expect(world.list('neighbour', at)).toEqual([])
  })

  it('forwarding entries', () => {
    const wanted = each(
      (i) =>
        ({
          kind: 'fdb',
          at,
          link: 'vx0',
          destination: '192.0.2.1',
          mac: `02:00:00:00:${(i >> 8).toString(16).padStart(2, '0')}:${(i & 255).toString(16).padStart(2, '0')}`,
        }) as const,
    )
    make(wanted)
    expect(sorted(world.list('fdb', at).filter(({ link }) => link === 'vx0'))).toEqual(sorted(wanted))
    expect(sorted(fdbOf(world, at).filter(({ link }) => link === 'vx0'))).toEqual(sorted(wanted))
    unmake(wanted)
    expect(world.list('fdb', at).filter(({ link }) => link === 'vx0')).toEqual([])
  })

  it('one of which is refused: every other one is there', () => {
    const wanted = each((i) => ({ kind: 'neighbour', at, link: 'v0', address: `10.3.${low(i)}`, mac: '02:00:00:00:00:01' }) as const)
    make([wanted[2500]!])
    const refused: number[] = []
    world.session.outbox.judge = (_owner, { errno }) => {
      if (errno !== 0) refused.push(errno)
      return undefined
    }
    make(wanted)
    expect(refused).toEqual([17])
    expect(world.list('neighbour', at)).toHaveLength(COUNT)
  })
})

it('500 links, half of them with their peers elsewhere', () => {
  using world = new World()
  const [a, b] = [world.place('a'), world.place('b')]
  for (let i = 0; i < 250; i++) {
    world
      .handler('link')
      .create(
        { kind: 'link', at: a, type: 'veth', name: `v${i}`, group: 99, up: false, peer: { at: b, name: `p${i}`, up: false } },
        world.session,
        false,
      )
  }
  for (let i = 0; i < 250; i++)
    world.handler('link').create({ kind: 'link', at: a, type: 'bridge', name: `b${i}`, group: 99, up: false }, world.session, false)
  world.session.flush()
  const links = world.list('link', a)
  expect(links).toHaveLength(501)
  const peers = links.flatMap((link) => (link.type === 'veth' ? [`${link.name} ${link.peer.name}`] : []))
  expect(peers).toEqual(Array.from({ length: 250 }, (_, i) => `v${i} p${i}`))
  expect(sorted(links.map(({ name, index }) => ({ name, index })))).toEqual(
    sorted(linksOf(world, a).map(({ name, index }) => ({ name, index }))),
  )
})

it('a dump misses nothing while others change the table', async () => {
  using world = new World()
  const at = world.place()
  world.batch(at, 'link add v0 type veth peer name v1', 'link set v0 up')
  const stable = Array.from({ length: 1000 }, (_, i) => `10.1.${low(i)}/32`)
  for (const destination of stable)
    world.handler('route').create({ kind: 'route', at, destination, link: 'v0', table: 700 }, world.session, false)
  world.session.flush()
  const name = at.slice('/run/netns/'.length)
  const commands = Array.from(
    { length: 2000 },
    (_, i) => `route ${i % 2 === 0 ? 'add' : 'del'} 10.1.${low((i >> 1) * 3)}/31 dev v0 table 700`,
  )
  const child = spawn('ip', ['-n', name, '-force', '-batch', '-'], { stdio: ['pipe', 'ignore', 'ignore'] })
  const ended = new Promise((resolve) => child.on('exit', resolve))
  // It may have to end before it has read everything.
  child.stdin.on('error', () => undefined)
  child.stdin.end(Array.from({ length: 20 }, () => commands.join('\n')).join('\n'))
  let dumps = 0
  while (child.exitCode === null && dumps < 200) {
    const found = new Set<string>()
    for (const { destination } of listRoutes(world.session, at, { table: 700 })) {
      if (!destination.endsWith('/32')) continue
      expect(found.has(destination)).toBe(false)
      found.add(destination)
    }
    expect(found.size).toBe(stable.length)
    dumps++
    await new Promise((resolve) => setImmediate(resolve))
  }
  child.kill()
  await ended
  expect(dumps).toBeGreaterThan(5)
})
