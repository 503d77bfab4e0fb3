import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Controller } from 'libcnm'
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
