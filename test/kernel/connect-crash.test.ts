import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Controller } from 'libcnm'
import type { NetworkDriver } from 'libcnm/contracts'
import { bridge } from 'libcnm/drivers/bridge'
import { afterAll, describe, expect, it } from 'vitest'
import { needsPrivileges } from '../tools.js'

/** Dies when the endpoint of a sandbox's connection has its record and is not joined yet, or right after the join. */
const program = (stateDir: string, event: string): string => `
  import { Controller } from 'libcnm'
  const controller = await Controller.open({ stateDir: ${JSON.stringify(stateDir)}, instance: 'dying' })
  const network = controller.networks.find('net') ?? await controller.createNetwork({ name: 'net' })
  const sandbox = await controller.createSandbox({ name: 'box-${event.replace(':', '-')}' })
  controller.on('${event}', () => process.kill(process.pid, 'SIGKILL'))
  await sandbox.connect(network)`

/** Dies when the endpoint has left the kernel and its record is still there. */
const disconnecting = (stateDir: string): string => `
  import { Controller } from 'libcnm'
  import { bridge } from 'libcnm/drivers/bridge'
  const dying = { ...bridge(), afterLeave: async () => process.kill(process.pid, 'SIGKILL') }
  const controller = await Controller.open({ stateDir: ${JSON.stringify(stateDir)}, instance: 'dying', drivers: [dying] })
  const network = await controller.createNetwork({ name: 'net' })
  const sandbox = await controller.createSandbox({ name: 'box' })
  await sandbox.connect(network)
  await sandbox.disconnect(network)`

/** Runs a program that kills itself. */
function runToItsDeath(text: string): void {
  const { signal, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', text], { encoding: 'utf8' })
  expect(stderr).toBe('')
  expect(signal).toBe('SIGKILL')
}

describe.skipIf(needsPrivileges())('a process killed while a sandbox connects or disconnects', () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'cnm-connect-'))
  afterAll(() => rmSync(stateDir, { recursive: true, force: true }))

  it.each([
    ['endpoint:create', 0],
    ['endpoint:join', 1],
  ])('%s: %i endpoints afterwards', async (event, count) => {
    runToItsDeath(program(stateDir, event))
    const controller = await Controller.open({ stateDir, instance: 'dying' })
    const network = controller.networks.get('net')
    expect(network.endpoints).toHaveLength(count)
    expect(controller.sandboxes.get(`box-${event.replace(':', '-')}`).endpoints).toHaveLength(count)
    expect(await controller.check()).toEqual([])
    for (const sandbox of controller.sandboxes.list()) await sandbox.delete()
    await network.delete()
    await controller.close()
  })
  it('while it disconnects: no endpoint afterwards, and it can connect again', async () => {
    runToItsDeath(disconnecting(stateDir))
    const controller = await Controller.open({ stateDir, instance: 'dying' })
    const [network, sandbox] = [controller.networks.get('net'), controller.sandboxes.get('box')]
    expect([network.endpoints, sandbox.endpoints]).toEqual([[], []])
    expect(await controller.check()).toEqual([])
    await sandbox.connect(network)
    await sandbox.delete()
    await network.delete()
    await controller.close()
  })
})

describe.skipIf(needsPrivileges())('disconnecting that fails half-way', () => {
  it('is brought to its end later: the endpoint goes, with its name and its address', async () => {
    const stateDir = mkdtempSync(join(tmpdir(), 'cnm-connect-'))
    let refusals = 2
    const refusing: NetworkDriver = {
      ...(bridge() as NetworkDriver),
      async afterLeave() {
        if (refusals-- > 0) throw new Error('not now')
      },
    }
    const controller = await Controller.open({ stateDir, instance: 'later', drivers: [refusing] })
    const told: string[] = []
    for (const name of ['endpoint:leave', 'endpoint:delete'] as const) controller.on(name, () => told.push(name))
    const network = await controller.createNetwork({ name: 'net' })
    const sandbox = await controller.createSandbox({ name: 'box' })
    const { addresses } = await sandbox.connect(network)
    await expect(sandbox.disconnect(network)).rejects.toMatchObject({ message: expect.stringContaining('not now') })
    expect(network.endpoints).toHaveLength(1)
    await expect(sandbox.connect(network)).rejects.toMatchObject({ code: 'ERR_CNM_ENDPOINT_EXISTS' })
    await expect.poll(() => network.endpoints.length).toBe(0)
    expect(told).toEqual(['endpoint:leave', 'endpoint:delete'])
    const again = await network.createEndpoint({ name: 'box', addresses: addresses.map((address) => address.split('/')[0]!) })
    await again.delete()
    await sandbox.delete()
    await network.delete()
    await controller.close()
    rmSync(stateDir, { recursive: true })
  })
})
