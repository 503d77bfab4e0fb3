import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Controller } from 'libcnm'
import type { NetworkDriver } from 'libcnm/contracts'
import { expect, it } from 'vitest'
import { leftBehind, takeCensus } from '../census.js'
import { needsPrivileges } from '../tools.js'

/** Notes every hook, and any that begins on an object while another one is at work on it. */
function watched(): { driver: NetworkDriver; calls: string[]; overlaps: string[] } {
  const calls: string[] = []
  const overlaps: string[] = []
  const busy = new Map<string, string>()
  const hook = async (what: string, object: string): Promise<undefined> => {
    if (busy.has(object)) overlaps.push(`${what} during ${busy.get(object)}`)
    busy.set(object, what)
    calls.push(what)
    for (let turn = 0; turn < 5; turn++) await nextTurn()
    busy.delete(object)
  }
  const driver: NetworkDriver = {
    name: 'watched',
    capabilities: { addresses: false, interfaces: false, resolver: false },
    networkOptions: () => ({}),
    network: () => [],
    endpoint: () => [],
    start: () => hook('start', 'driver'),
    stop: () => hook('stop', 'driver'),
    beforeCreate: ({ id }) => hook('beforeCreate', id),
    afterDelete: ({ id }) => hook('afterDelete', id),
    beforeJoin: ({ id }) => hook('beforeJoin', id),
    afterLeave: ({ id }) => hook('afterLeave', id),
  }
  return { driver, calls, overlaps }
}

it.skipIf(needsPrivileges())('a driver is started once, and never called twice at a time for one object, nor after its end', async () => {
  const before = await takeCensus()
  const stateDir = mkdtempSync(join(tmpdir(), 'cnm-'))
  const { driver, calls, overlaps } = watched()
  const controller = await Controller.open({ stateDir, instance: 'watched', drivers: [driver] })
  const networks = await Promise.all(['a', 'b', 'c'].map((name) => controller.createNetwork({ name, driver: 'watched' })))
  expect(calls.filter((call) => call === 'start')).toHaveLength(1)
  const sandboxes = await Promise.all(['x', 'y', 'z'].map((name) => controller.createSandbox({ name })))
  const endpoint = await networks[0]!.createEndpoint({ name: 'e' })
  // Everything at once on one endpoint: some of it is refused, nothing overlaps.
  const attempts = Array.from({ length: 60 }, async (_, i) => {
    await nextTurn()
    const sandbox = sandboxes[i % 3]!
    if (i % 2 === 0) await endpoint.join(sandbox)
    else await endpoint.leave()
  })
  const results = await Promise.allSettled([...attempts, ...networks.map((network) => sandboxes[0]!.connect(network))])
  expect(results.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThan(3)
  expect(calls.filter((call) => call === 'beforeJoin').length).toBeGreaterThan(3)
  await Promise.all(sandboxes.map((sandbox) => sandbox.delete()))
  await Promise.all(
    networks.map(async (network) => {
      for (const left of network.endpoints) await left.delete()
      await network.delete()
    }),
  )
  await controller.close()
  const ended = calls.length
  expect(calls.at(-1)).toBe('stop')
  await expect(endpoint.join(sandboxes[0]!)).rejects.toMatchObject({ code: 'ERR_CNM_CLOSED' })
  expect(calls.length).toBe(ended)
  expect(overlaps).toEqual([])
  rmSync(stateDir, { recursive: true, force: true })
  expect(await leftBehind(before)).toEqual([])
})
