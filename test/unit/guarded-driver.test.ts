import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import type { DriverContext, NetworkDriver, NetworkView } from '../../src/contracts/network-driver.js'
import { DriverRegistry } from '../../src/controller/driver-registry.js'
import { GuardedDriver } from '../../src/controller/guarded-driver.js'
import { limitedHook } from '../../src/controller/hook-limit.js'

const context = {} as DriverContext
const view = { id: '0'.repeat(64), name: 'n' } as NetworkView
const foreign = (parts: Partial<NetworkDriver>): NetworkDriver => ({
  name: 'foreign',
  networkOptions: () => ({}),
  network: () => [],
  endpoint: () => [],
  ...parts,
})
const registryOf = (driver: NetworkDriver): DriverRegistry<NetworkDriver, GuardedDriver> =>
  new DriverRegistry('network driver', [driver], (each) => GuardedDriver.start(each, context))
const code = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: { code?: unknown }) => error.code)

it('starts a driver once, however many ask for it at once, and stops it once', async () => {
  const calls: string[] = []
  const registry = registryOf(
    foreign({
      start: async () => {
        calls.push('start')
        await sleep(5)
        calls.push('started')
      },
      stop: async () => void calls.push('stop'),
    }),
  )
  const drivers = await Promise.all(Array.from({ length: 20 }, () => registry.get('foreign')))
  expect(new Set(drivers).size).toBe(1)
  expect(calls).toEqual(['start', 'started'])
  expect(await registry.stop()).toEqual([])
  await drivers[0]!.stop()
  expect(calls).toEqual(['start', 'started', 'stop'])
})

it('starts one again that could not start', async () => {
  let tries = 0
  const registry = registryOf(foreign({ start: async () => (++tries === 1 ? Promise.reject(new Error('not yet')) : undefined) }))
  await expect(registry.get('foreign')).rejects.toMatchObject({ code: 'ERR_CNM_DRIVER_FAILED', message: 'driver foreign: start: not yet' })
  expect((await registry.get('foreign')).name).toBe('foreign')
})

it('does not call a driver after it was stopped', async () => {
  let called = false
  const note = (): never => {
    called = true
    throw new Error('called')
  }
  const driver = await GuardedDriver.start(
    foreign({ networkOptions: note, network: note, afterDelete: note, stop: async () => undefined }),
    context,
  )
  await driver.stop()
  for (const call of [() => driver.networkOptions({}), () => driver.network(view, {} as never)])
    expect(call).toThrow(expect.objectContaining({ code: 'ERR_CNM_CLOSED' }))
  expect(await code(driver.afterDelete(view))).toBe('ERR_CNM_CLOSED')
  expect(called).toBe(false)
})

it('ends the wait for a hook that takes too long, or that nobody waits for any more, and tells the hook', async () => {
  let told: unknown
  const never = (signal: AbortSignal): Promise<never> => {
    signal.addEventListener('abort', () => (told = 'told'))
    return new Promise(() => undefined)
  }
  expect(await code(limitedHook('driver foreign', 'beforeJoin', never, undefined, 10))).toBe('ERR_CNM_TIMEOUT')
  expect(told).toBe('told')
  const gone = new AbortController()
  const waiting = code(limitedHook('driver foreign', 'beforeJoin', never, gone.signal))
  gone.abort()
  expect(await waiting).toBe('ERR_CNM_ABORTED')
})

it('names the driver and its hook in whatever it throws', async () => {
  const driver = await GuardedDriver.start(
    foreign({
      endpoint: () => {
        throw new TypeError('oops')
      },
    }),
    context,
  )
  expect(() => driver.endpoint({} as never, view, {} as never)).toThrow('driver foreign: endpoint: oops')
  expect(() => driver.endpointOptions({ color: 'red' })).toThrow(expect.objectContaining({ code: 'ERR_CNM_UNKNOWN_OPTION' }))
})
