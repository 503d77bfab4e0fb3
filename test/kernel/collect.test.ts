import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CnmError, Controller, type Network } from 'libcnm'
import { requestIdOf, type Store } from 'libcnm/contracts'
import { memory } from 'libcnm/store/memory'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { leftBehind, takeCensus, type Census } from '../census.js'
import { probe } from '../../src/kernel/probe/index.js'
import { needs, needsPrivileges, skipping } from '../tools.js'
import { commitsThrough } from './commits-through.js'
import { until } from './until.js'

const ip = (...args: string[]): string => execFileSync('ip', args, { encoding: 'utf8' })
const { xfrm } = probe(['xfrm']).features
const noIpsec = xfrm.available ? undefined : skipping(`no IPsec: ${xfrm.reason}`)
const NOTHING = { sandboxes: [], endpoints: [], missing: [], objects: [], addresses: [], pools: [], instances: [], failures: [] }

/** Fails commits that delete a key, while one is named. */
const stubborn = (fault: { refuse?: string }): Store =>
  commitsThrough(async (commit, changes, options) => {
    if (changes.some((change) => 'delete' in change && change.delete === fault.refuse))
      throw new CnmError('ERR_CNM_STORE', 'store: no space left on device')
    return commit(changes, options)
  })

describe.skipIf(needsPrivileges() ?? needs('ip', 'nft'))('collect', () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'cnm-'))
  const fault: { refuse?: string } = {}
  let controller: Controller
  let [front, back] = [] as unknown as [Network, Network]
  let before: Census
  const open = (instance: string, base: string, store: Store = memory()): Promise<Controller> =>
    Controller.open({ stateDir, instance, store, defaultPools: [{ base, size: 24 }] })

  beforeAll(async () => {
    controller = await open('keeper', '10.91.0.0/16', stubborn(fault))
    front = await controller.createNetwork({ name: 'front' })
    back = await controller.createNetwork({ name: 'back' })
    const first = await controller.createSandbox({ name: 'first' })
    // The kernel thread keeps the way back from the first environment that it went into.
    await first.run('true')
    await first.connect(front)
    await first.connect(back)
    await first.delete()
  })
  beforeEach(async () => {
    before = await takeCensus()
  })
  afterEach(async () => {
    expect(await leftBehind(before)).toEqual([])
    expect(await controller.check()).toEqual([])
  })
  afterAll(async () => {
    await controller.close()
    rmSync(stateDir, { recursive: true })
  })

  describe('with what is to be kept', () => {
    it('deletes every other sandbox and endpoint, with all that they have in the kernel', async () => {
      const [a, b, c] = await Promise.all(['a', 'b', 'c'].map((name) => controller.createSandbox({ name })))
      const web = await a!.connect(front, { name: 'web', ports: [{ host: 18300, container: 80 }] })
      await a!.connect(back, { name: 'db' })
      await b!.connect(front, { name: 'one' })
      const two = await b!.connect(back, { name: 'two' })
      await c!.connect(front, { name: 'gone', ports: [{ host: 18301, container: 80 }] })
      await front.createEndpoint({ name: 'loose' })
      await front.createEndpoint({ name: 'spare' })
      const { sandboxes, endpoints, missing, failures } = await controller.collect({ keep: ['a', two.id, 'spare', 'nobody'] })
      expect(sandboxes).toEqual(['c'])
      expect(endpoints.sort()).toEqual(['front/gone', 'front/loose', 'front/one'])
      expect([missing, failures]).toEqual([['nobody'], []])
      expect(controller.sandboxes.list().map(({ name }) => name)).toEqual(['a', 'b'])
      expect(front.endpoints.map(({ name }) => name).sort()).toEqual(['spare', 'web'])
      expect(ip('-n', b!.netns.split('/').pop()!, '-br', 'link')).not.toContain('eth0')
      expect(web.ports).toHaveLength(1)
      expect(await controller.collect({ keep: ['a', two.id, 'spare'] })).toEqual(NOTHING)
      expect((await controller.collect({ keep: [] })).sandboxes).toEqual(['a', 'b'])
      expect([controller.sandboxes.size, front.endpoints, back.endpoints]).toEqual([0, [], []])
    })

    it('goes on after a failure, tells it, and the rest goes by itself', async () => {
      const [stuck, other] = [await controller.createSandbox({ name: 'stuck' }), await controller.createSandbox({ name: 'other' })]
      await stuck.connect(front)
      await other.connect(front)
      fault.refuse = `sandbox/${stuck.id}`
      const { sandboxes, failures } = await controller.collect({ keep: [] })
      expect(sandboxes).toEqual(['other'])
      expect(failures).toEqual([{ object: 'sandbox stuck', reason: 'store: no space left on device' }])
      fault.refuse = undefined
      await until(() => controller.sandboxes.size === 0)
    })

    it.each([
      ['forward', 86_400_000],
      ['back', -86_400_000],
    ])('what failed is tried again in time, also when the clock is set %s', async (_direction, by) => {
      const stuck = await controller.createSandbox({ name: 'stuck' })
      fault.refuse = `sandbox/${stuck.id}`
      expect((await controller.collect({ keep: [] })).failures).toHaveLength(1)
      const { now } = Date
      Date.now = () => now() + by
      try {
        fault.refuse = undefined
        const start = performance.now()
        await until(() => controller.sandboxes.size === 0)
        // After 0.2 s, or 0.4 s when the first was too early.
        expect(performance.now() - start).toBeLessThan(5_000)
      } finally {
        Date.now = now
      }
    })

    it('refuses what it does not understand, before anything is removed', async () => {
      const sandbox = await controller.createSandbox({ name: 'safe' })
      await expect(controller.collect({ keep: 'safe' as never })).rejects.toMatchObject({ code: 'ERR_CNM_INVALID_ARGUMENT', field: 'keep' })
      await expect(controller.collect({ keeps: [] } as never)).rejects.toMatchObject({ code: 'ERR_CNM_UNKNOWN_OPTION' })
      await expect(controller.collect({ keep: [], instances: ['stranger'] })).rejects.toMatchObject({ field: 'instances' })
      expect(controller.sandboxes.size).toBe(1)
      await sandbox.delete()
    })
  })

  it.skipIf(noIpsec)('removes IPsec policies of its own that nobody wants, blocking ones too, and no others', async () => {
    const policy = (port: number, requestId: number, action: 'allow' | 'block'): string[] => [
      ...['xfrm', 'policy', 'add', 'dir', 'in', 'src', '0.0.0.0/0', 'dst', '192.0.2.1/32', 'proto', 'udp', 'dport', String(port)],
      ...['action', action, 'tmpl', 'src', '0.0.0.0', 'dst', '192.0.2.1', 'proto', 'esp', 'reqid', String(requestId), 'mode', 'transport'],
    ]
    ip(...policy(4788, requestIdOf('keeper'), 'allow'))
    ip(...policy(4787, requestIdOf('keeper'), 'block'))
    ip(...policy(4786, 7, 'allow'))
    const { objects, failures } = await controller.collect()
    expect(failures).toEqual([])
    expect(objects.map((object) => /"destinationPort":(\d+)/.exec(object)?.[1]).sort()).toEqual(['4787', '4788'])
    expect(ip('xfrm', 'policy').match(/dport \d+/g)).toEqual(['dport 4786'])
    ip('xfrm', 'policy', 'flush')
  })

  it('takes nothing from those that are being made meanwhile', async () => {
    let making = true
    const work = Array.from({ length: 4 }, async (_, worker) => {
      for (let round = 0; round < 10; round++) {
        const network = await controller.createNetwork({ name: `n${worker}-${round}` })
        const sandbox = await controller.createSandbox({ name: `s${worker}-${round}` })
        await Promise.all([sandbox.connect(network), sandbox.connect(front, { name: `e${worker}-${round}` })])
        await sandbox.delete()
        await network.delete()
      }
    })
    const collected = (async () => {
      const found = []
      while (making) found.push(await controller.collect())
      return found
    })()
    await Promise.all(work).finally(() => (making = false))
    for (const found of await collected) expect(found).toEqual(NOTHING)
  })

  describe('of other instances', () => {
    const leave = async (instance: string, base: string): Promise<Controller> => {
      const other = await open(instance, base)
      const network = await other.createNetwork({ name: 'n' })
      const sandbox = await other.createSandbox({ name: 's' })
      await sandbox.connect(network, { ports: [{ container: 80 }] })
      await sandbox.run('true')
      return other
    }

    it('removes everything of those that nobody has open, and nothing of those that somebody has', async () => {
      const live = await leave('living', '10.92.0.0/16')
      const lives = await takeCensus()
      await (await leave('deadone', '10.93.0.0/16')).close()
      ip('netns', 'add', 'deadone-mine')
      ip('link', 'add', 'deadone0', 'type', 'bridge')

      // Not unless asked for.
      expect(await controller.collect()).toEqual(NOTHING)
      const { instances, objects, failures } = await controller.collect({ instances: 'dead' })
      expect([instances, failures]).toEqual([['deadone'], []])
      expect(objects).toContain('host nft-table inet deadone')
      expect(objects.some((object) => object.endsWith('namespace'))).toBe(true)
      expect(ip('netns', 'list')).toContain('deadone-mine')
      ip('netns', 'del', 'deadone-mine')
      ip('link', 'del', 'deadone0')
      // Node's threads keep some of theirs between programs.
      expect(await leftBehind(lives, { except: ['descriptors'] })).toEqual([])
      expect(await live.check()).toEqual([])

      const refused = await controller.collect({ instances: ['living'] })
      expect(refused.failures).toMatchObject([
        { object: 'instance living', reason: expect.stringContaining('in use by process') as string },
      ])
      await live.close()
      expect((await controller.collect({ instances: ['living'] })).instances).toEqual(['living'])
      // What was held meanwhile is free again.
      await (await open('living', '10.92.0.0/16')).close()
      expect(await controller.collect({ instances: 'dead' })).toEqual(NOTHING)
    })
  })
})
