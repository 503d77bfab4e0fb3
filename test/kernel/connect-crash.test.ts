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

describe.skipIf(needsPrivileges())('a process killed while a sandbox connects', () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'cnm-connect-'))
  afterAll(() => rmSync(stateDir, { recursive: true, force: true }))

  it.each([
    ['endpoint:create', 0],
    ['endpoint:join', 1],
  ])('%s: %i endpoints afterwards', async (event, count) => {
    const { signal, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program(stateDir, event)], { encoding: 'utf8' })
    expect(stderr).toBe('')
    expect(signal).toBe('SIGKILL')
    const controller = await Controller.open({ stateDir, instance: 'dying' })
    const network = controller.networks.get('net')
    expect(network.endpoints).toHaveLength(count)
    expect(controller.sandboxes.get(`box-${event.replace(':', '-')}`).endpoints).toHaveLength(count)
    expect(await controller.check()).toEqual([])
    for (const sandbox of controller.sandboxes.list()) await sandbox.delete()
    await network.delete()
    await controller.close()
  })
})
