import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { Kernel } from 'libcnm/kernel'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { CnmError } from '../../src/contracts/errors.js'
import type { KernelObject, LinkObject } from '../../src/contracts/kernel-objects.js'
import type { Operation } from '../../src/contracts/operations.js'
import { leftBehind, takeCensus, type Census } from '../census.js'
import { needs, needsPrivileges } from '../tools.js'

const host = { at: 'host' } as const
const create = (object: KernelObject, replace?: true): Operation => ({ do: 'create', object, replace })
const remove = (object: KernelObject, missing?: 'ignore'): Operation => ({ do: 'delete', object, missing })
const namespace = (name: string): KernelObject => ({ kind: 'namespace', at: `/run/netns/${name}` })
const bridge = (name: string, more: object = {}): LinkObject => ({ kind: 'link', type: 'bridge', ...host, name, ...more })
const pair = (i: number, more: object = {}): LinkObject => ({
  kind: 'link',
  type: 'veth',
  ...host,
  name: `t${i}`,
  peer: { at: `/run/netns/t${i}`, name: 'eth0' },
  ...more,
})
const address = (link: string, text: string, at = 'host'): KernelObject => ({ kind: 'address', at, link, address: text })

const ip = (...args: string[]): string => execFileSync('ip', args, { encoding: 'utf8', stdio: 'pipe' })
const linkNames = (...args: string[]): string[] =>
  (JSON.parse(ip(...args, '-j', 'link')) as { ifname: string }[]).map(({ ifname }) => ifname).sort()
const indexOf = (name: string): number => (JSON.parse(ip('-j', 'link', 'show', name)) as { ifindex: number }[])[0]!.ifindex
const failure = (promise: Promise<unknown>): Promise<CnmError | undefined> =>
  promise.then(
    () => undefined,
    (error: unknown) => error as CnmError,
  )

describe.skipIf(needsPrivileges() ?? needs('ip'))('a transaction', () => {
  let kernel: Kernel
  let before: Census
  beforeAll(async () => {
    kernel = await Kernel.open()
    await kernel.transaction([create(namespace('first'))])
    await kernel.transaction([remove(namespace('first'))])
    // The socket at home stays open.
    await kernel.list('host', ['link'])
  })
  afterAll(() => kernel.close())
  beforeEach(async () => (before = await takeCensus()))
  afterEach(async () => expect(await leftBehind(before)).toEqual([]))

  it('works in several namespaces, in the order of its operations', async () => {
    const sandbox = '/run/netns/t1'
    await kernel.transaction([
      create(bridge('tbr')),
      create(address('tbr', '10.40.0.1/24')),
      create(namespace('t1')),
      create(pair(1, { master: 'tbr', mac: '02:00:00:00:40:01', mtu: 1400 })),
      create({ kind: 'link', type: 'existing', at: sandbox, name: 'lo', up: true }),
      create(address('eth0', '10.40.0.2/24', sandbox)),
      create({ kind: 'route', at: sandbox, destination: 'default', gateway: '10.40.0.1', link: 'eth0' }),
    ])
    expect(ip('-o', 'link', 'show', 't1')).toMatch(/<.*UP.*> mtu 1400 .*master tbr.*02:00:00:00:40:01/s)
    expect(ip('-n', 't1', 'route')).toMatch(/^default via 10\.40\.0\.1 dev eth0/m)
    expect(ip('-n', 't1', '-o', 'link', 'show', 'lo')).toMatch(/<LOOPBACK,UP/)
    expect(ip('netns', 'exec', 't1', 'ping', '-c1', '-W5', '10.40.0.1')).toMatch(/1 received/)
    await kernel.transaction([remove(pair(1)), remove(namespace('t1')), remove(bridge('tbr'))])
  })

  it('names the operation that failed, in words and by its index, and says what the kernel said', async () => {
    const error = await failure(
      kernel.transaction([
        create(bridge('tbr')),
        create(address('tbr', '10.40.0.1/24')),
        create({ kind: 'route', ...host, destination: '10.41.0.0/16', gateway: '10.99.0.1', link: 'tbr' }),
      ]),
    )
    expect(error).toMatchObject({ operationIndex: 2, errnoName: 'ENETUNREACH', kernelText: 'Nexthop has invalid gateway' })
    expect(error?.operation).toMatch(/ip route add 10\.41\.0\.0\/16/)
    expect(error?.message).toBe(`${error?.operation}: Nexthop has invalid gateway (ENETUNREACH)`)
    expect(linkNames()).not.toContain('tbr')
  })

  it('says which name is taken, and leaves what has it alone', async () => {
    ip('link', 'add', 'taken', 'type', 'bridge')
    const error = await failure(
      kernel.transaction([create(bridge('other')), create(bridge('taken')), create(address('taken', '10.40.0.1/24'))]),
    )
    expect(error).toMatchObject({ code: 'ERR_CNM_LINK_EXISTS', operationIndex: 1 })
    expect(linkNames()).toContain('taken')
    expect(linkNames()).not.toContain('other')
    expect(ip('address', 'show', 'taken')).not.toMatch(/10\.40/)
    ip('link', 'delete', 'taken')
  })

  it('reports the first failure, not one that its handler found while messages waited', async () => {
    const error = await failure(
      kernel.transaction([create(address('lo', '10.40.0.1/24')), create(address('lo', '10.40.0.1/24')), create(address('lo', 'nonsense'))]),
    )
    expect(error).toMatchObject({ operationIndex: 1, errnoName: 'EEXIST' })
  })

  it('tolerates that something to be deleted is missing only when told to', async () => {
    const gone: KernelObject[] = [
      bridge('gone'),
      namespace('gone'),
      address('lo', '10.40.9.9/32'),
      address('gone', '10.40.9.9/32'),
      { kind: 'route', ...host, destination: '10.42.0.0/16', link: 'lo' },
    ]
    for (const object of gone) {
      await kernel.transaction([create(bridge('stays')), remove(object, 'ignore')])
      expect(linkNames()).toContain('stays')
      await kernel.transaction([remove(bridge('stays'))])
      expect(await failure(kernel.transaction([create(bridge('stays')), remove(object)])), object.kind).toMatchObject({ operationIndex: 1 })
      expect(linkNames()).not.toContain('stays')
    }
  })

  it('deletes no link of another type than it was told', async () => {
    ip('link', 'add', 'mine', 'type', 'bridge')
    expect(
      await failure(kernel.transaction([create(bridge('x')), remove({ kind: 'link', type: 'dummy', ...host, name: 'mine' })])),
    ).toMatchObject({ code: 'ERR_CNM_LINK_NOT_FOUND', operationIndex: 1 })
    expect(await failure(kernel.transaction([remove({ kind: 'link', type: 'dummy', ...host, name: 'lo' })]))).toMatchObject({
      code: 'ERR_CNM_NOT_SUPPORTED',
    })
    expect(linkNames()).toEqual(expect.arrayContaining(['lo', 'mine']))
    expect(linkNames()).not.toContain('x')
    ip('link', 'delete', 'mine')
  })

  it('gives the name of a link that it deletes to a new one', async () => {
    await kernel.transaction([create(namespace('t1')), create(pair(1)), create(bridge('tbr'))])
    const old = { pair: indexOf('t1'), bridge: indexOf('tbr') }
    await kernel.transaction([remove(pair(1)), remove(bridge('tbr')), create(bridge('tbr')), create(pair(1, { master: 'tbr' }))])
    expect(indexOf('t1')).not.toBe(old.pair)
    expect(indexOf('tbr')).not.toBe(old.bridge)
    expect(linkNames().filter((name) => name.startsWith('old-'))).toEqual([])
    expect(linkNames('-n', 't1')).toEqual(['eth0', 'lo'])
    await kernel.transaction([remove(pair(1)), remove(namespace('t1')), remove(bridge('tbr'))])
  })

  it('replaces a link by one of another type, or puts it back', async () => {
    await kernel.transaction([create(bridge('swap', { alias: 'first' }))])
    const { ino } = statSync('/sys/class/net/swap/')
    const vxlan: LinkObject = { kind: 'link', type: 'vxlan', ...host, name: 'swap', vxlan: { id: 40 } }
    expect(await failure(kernel.transaction([create(vxlan, true), remove(bridge('gone'))]))).toMatchObject({ operationIndex: 1 })
    expect(ip('-d', 'link', 'show', 'swap')).toMatch(/bridge.*alias first/s)
    expect(ino).toBe(statSync('/sys/class/net/swap/').ino)
    await kernel.transaction([create(vxlan, true)])
    expect(ip('-d', 'link', 'show', 'swap')).toMatch(/vxlan id 40/)
    await kernel.transaction([remove(vxlan)])
  })

  it('removes several links of a namespace together, those that others delete at the same time too', async () => {
    const count = 40
    const all = Array.from({ length: count }, (_, i) => i)
    await kernel.transaction(all.flatMap((i) => [create(namespace(`t${i}`)), create(pair(i))]))
    await kernel.transaction([create(bridge('stays'))])
    const answers = all.map((i) => kernel.transaction([remove(pair(i)), remove(namespace(`t${i}`))]))
    // Neighbours that fail, and one that wants the name of a link that another is about to remove.
    const failing = [
      failure(kernel.transaction([remove(pair(99))])),
      failure(kernel.transaction([create(bridge('never')), remove(bridge('gone'))])),
    ]
    const reuse = kernel.transaction([create(bridge('t3'))])
    await Promise.all([...answers, reuse])
    expect((await Promise.all(failing)).map((error) => error?.code)).toEqual(['ERR_CNM_LINK_NOT_FOUND', 'ERR_CNM_LINK_NOT_FOUND'])
    expect(linkNames().filter((name) => /^(t\d+|stays|never)$/.test(name))).toEqual(['stays', 't3'])
    expect(readdirSync('/run/netns').filter((name) => name.startsWith('t'))).toEqual([])
    await kernel.transaction([remove(bridge('stays')), remove(bridge('t3'))])
  })

  it('meets those before it in the queue as finished', async () => {
    await kernel.transaction([create(bridge('q')), create(address('q', '10.40.0.1/24'))])
    const first = kernel.transaction([remove(bridge('q'))])
    const second = failure(kernel.transaction([create(address('q', '10.40.0.2/24'))]))
    const third = kernel.transaction([create(bridge('q')), create(address('q', '10.40.0.3/24'))])
    const names = kernel.list('host', ['address'], { link: 'q' })
    await first
    expect(await second).toMatchObject({ code: 'ERR_CNM_LINK_NOT_FOUND' })
    await third
    expect((await names).filter(({ address: text }) => !text.includes(':')).map(({ address: text }) => text)).toEqual(['10.40.0.3/24'])
    await kernel.transaction([remove(bridge('q'))])
  })

  it('finds a namespace again that was made by another thread', async () => {
    await using other = await Kernel.open()
    await other.transaction([create(namespace('t1')), create(pair(1))])
    await kernel.transaction([create(address('eth0', '10.40.0.2/24', '/run/netns/t1'))])
    expect(ip('-n', 't1', 'address')).toMatch(/10\.40\.0\.2\/24/)
    await kernel.transaction([remove(pair(1)), remove(namespace('t1'))])
    expect(existsSync('/run/netns/t1')).toBe(false)
  })

  it('leaves no descriptor open, however many there are', { timeout: 120_000 }, async () => {
    const open = (): number => readdirSync('/proc/self/fd').length
    const round = async (i: number): Promise<void> => {
      await kernel.transaction([
        create(namespace('fd')),
        create({ kind: 'sysctl', at: '/run/netns/fd', path: 'net/ipv4/ip_forward', value: '1' }),
      ])
      if (i % 3 === 0)
        await failure(
          kernel.transaction([create(address('lo', '10.40.0.9/32', '/run/netns/fd')), create(address('lo', 'nonsense', '/run/netns/fd'))]),
        )
      await kernel.transaction([remove(namespace('fd'))])
    }
    await round(0)
    const count = open()
    for (let i = 0; i < 1000; i += 2) await round(i)
    // The thread keeps one namespace ready, or is about to.
    expect(open()).toBeLessThanOrEqual(count + 1)
  })
})
