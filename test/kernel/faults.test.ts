import { mkdtempSync, rmSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { Controller } from 'libcnm'
import { CnmError, type Operation, type Store } from 'libcnm/contracts'
import { Kernel } from 'libcnm/kernel'
import { memory } from 'libcnm/store/memory'
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { leftBehind, takeCensus, type Census } from '../census.js'
import { needs, needsPrivileges } from '../tools.js'
import { commitsThrough } from './commits-through.js'
import { until } from './until.js'

/** The public operations, in an order in which each can be done, each with what can be said when it has failed. */
const STEPS: { name: string; removes?: true; run: (controller: Controller) => Promise<unknown> }[] = [
  { name: 'create network', run: (c) => c.createNetwork({ name: 'n', enableIPv6: true }) },
  { name: 'create sandbox', run: (c) => c.createSandbox({ name: 's' }) },
  { name: 'connect', run: (c) => c.sandboxes.get('s').connect(c.networks.get('n'), { ports: [{ host: 18200, container: 80 }] }) },
  { name: 'publish', run: (c) => endpoint(c).publish([{ host: 18201, container: 81 }]) },
  { name: 'unpublish', run: (c) => endpoint(c).unpublish([{ host: 18201 }]) },
  { name: 'leave', removes: true, run: (c) => endpoint(c).leave() },
  { name: 'join', run: (c) => endpoint(c).join(c.sandboxes.get('s')) },
  { name: 'disconnect', removes: true, run: (c) => endpoint(c).delete({ force: true }) },
  { name: 'create endpoint', run: (c) => c.networks.get('n').createEndpoint({ name: 'e', addresses: ['10.66.0.9'] }) },
  { name: 'delete endpoint', removes: true, run: (c) => c.networks.get('n').endpoints[0]!.delete() },
  { name: 'connect again', run: (c) => c.sandboxes.get('s').connect(c.networks.get('n')) },
  { name: 'delete sandbox', removes: true, run: (c) => c.sandboxes.get('s').delete() },
  { name: 'delete network', removes: true, run: (c) => c.networks.get('n').delete() },
]
const endpoint = (c: Controller): ReturnType<Controller['networks']['get']>['endpoints'][number] => c.networks.get('n').endpoints[0]!

const { EBUSY, EEXIST, ENOMEM, ENOSPC } = constants.errno
const ERRNOS = [ENOMEM, EEXIST, EBUSY, ENOSPC]

/** Fails one commit, by its number, in one of two ways. */
const faulty = (counter: { commits: number; fail: number; thrown: boolean }): Store =>
  commitsThrough(async (commit, ...args) => {
    if (++counter.commits === counter.fail) {
      counter.thrown = true
      throw counter.fail % 2 === 0
        ? new TypeError('a defect')
        : new CnmError('ERR_CNM_STORE', 'store: no space left on device', { errno: ENOSPC })
    }
    return commit(...args)
  })

const attempt = async (step: (typeof STEPS)[number], controller: Controller): Promise<unknown> => step.run(controller)

/** Every so many are failed, from a random one on; LIBCNM_FAULTS=all fails each. */
const ALL = process.env.LIBCNM_FAULTS === 'all'
const from = (stride: number): { first: number; stride: number } =>
  ALL ? { first: 1, stride: 1 } : { first: 1 + Math.floor(Math.random() * stride), stride }

describe.skipIf(needsPrivileges() ?? needs('ip', 'nft'))('each operation, when something under it fails', () => {
  let before: Census
  let stateDir: string
  let operations = 0
  const open = async (store: Store): Promise<Controller> => {
    operations = 0
    const controller = await Controller.open({
      stateDir,
      instance: 'fault',
      store,
      watch: false,
      defaultPools: [{ base: '10.66.0.0/16', size: 24 }],
    })
    return controller
  }
  /** Does everything, with the same faults; the step that fails has to be without effect, or finish by itself. */
  const scenario = async (store: Store, failed: () => boolean): Promise<string | undefined> => {
    const controller = await open(store)
    let where: string | undefined
    try {
      for (const step of STEPS) {
        const had = failed()
        const states = describeState(controller)
        const error = await attempt(step, controller).then(
          () => undefined,
          (reason: unknown) => reason as Error,
        )
        if (had || !failed()) {
          expect(error, step.name).toBe(undefined)
          continue
        }
        where = step.name
        if (error !== undefined) await afterFailure(controller, step, states)
        expect(await controller.check(), step.name).toEqual([])
      }
      expect(await store.list('endpoint/')).toEqual([])
      expect([controller.networks.size, controller.sandboxes.size]).toEqual([0, 0])
      await until(async () => (await controller.status()).health === 'healthy')
    } finally {
      await controller.close()
    }
    expect(await leftBehind(before, { except: ['descriptors'] }), where).toEqual([])
    return where
  }

  async function afterFailure(controller: Controller, step: (typeof STEPS)[number], states: string): Promise<void> {
    // What cannot be undone or removed at once is pending, is told, and goes by itself.
    await until(async () => (await controller.status()).health === 'healthy')
    expect(await controller.check(), step.name).toEqual([])
    const now = describeState(controller)
    if (step.removes === undefined) expect(now, `${step.name}: undone`).toBe(states)
    // What has gone by itself meanwhile cannot go again.
    await attempt(step, controller).catch((again: unknown) => {
      if (step.removes === undefined || now === states) throw again
    })
  }

  beforeAll(async () => {
    stateDir = mkdtempSync(join(tmpdir(), 'cnm-'))
    const controller = await open(memory())
    for (const { run } of STEPS) await run(controller)
    await controller.close()
    before = await takeCensus()
    return () => rmSync(stateDir, { recursive: true })
  }, 60_000)
  afterEach(() => vi.restoreAllMocks())

  it('each write of the store in turn', async () => {
    const seen = new Set<string>()
    const { first, stride } = from(5)
    for (let fail = first; ; fail += stride) {
      const counter = { commits: 0, fail, thrown: false }
      const where = await scenario(faulty(counter), () => counter.thrown)
      if (!counter.thrown) break
      seen.add(where!)
    }
    if (ALL) expect([...seen].sort()).toEqual(STEPS.map(({ name }) => name).sort())
    else expect(seen.size).toBeGreaterThan(3)
  }, 600_000)

  it('each operation of the kernel in turn', async () => {
    const seen = new Set<string>()
    const opened = Kernel.open.bind(Kernel)
    const { transaction } = Kernel.prototype
    const { first, stride } = from(15)
    for (let operation = first; ; operation += stride) {
      let failed = false
      const fault = { operation, errno: ERRNOS[operation % 4]!, when: operation % 3 === 0 ? ('after' as const) : ('before' as const) }
      vi.spyOn(Kernel, 'open').mockImplementation((options) => opened({ ...options, fault }))
      vi.spyOn(Kernel.prototype, 'transaction').mockImplementation(counted(transaction, () => (failed ||= operations >= operation)))
      const where = await scenario(memory(), () => failed)
      vi.restoreAllMocks()
      if (where === undefined) break
      seen.add(where)
    }
    const changesKernel = STEPS.map(({ name }) => name).filter((name) => !name.endsWith(' endpoint'))
    if (ALL) expect([...seen].sort()).toEqual(changesKernel.sort())
    else expect(seen.size).toBeGreaterThan(3)
  }, 900_000)

  /** Counts the operations as the kernel thread does. */
  function counted(real: Kernel['transaction'], begun: () => boolean): Kernel['transaction'] {
    return function (this: Kernel, list: readonly Operation[], ...rest) {
      operations += list.length
      begun()
      return real.call(this, list, ...rest)
    }
  }
})

function describeState(controller: Controller): string {
  const networks = controller.networks.list().map((network) => ({
    ...network.inspect(),
    endpoints: network.endpoints.map((each) => ({ ...each.inspect(), GwPriority: 0 })),
  }))
  return JSON.stringify([networks, controller.sandboxes.list().map((sandbox) => sandbox.inspect())])
}
