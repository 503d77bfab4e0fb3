import crypto from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Controller } from 'libcnm'
import { afterEach, describe, expect, it } from 'vitest'
import { leftBehind, takeCensus } from '../census.js'
import { needsPrivileges } from '../tools.js'

const TAKEN = 40_053
const { randomInt } = crypto

describe.skipIf(needsPrivileges())('the ports of a sandbox’s resolver', () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'cnm-ports-'))
  afterEach(() => {
    crypto.randomInt = randomInt
    syncBuiltinESMExports()
    rmSync(stateDir, { recursive: true, force: true })
  })

  it('are others where a program has the one that was chosen; names are found, also after a restart', async () => {
    const open = (): Promise<Controller> => Controller.open({ stateDir, instance: 'ports' })
    const before = await takeCensus()
    let controller = await open()
    const network = await controller.createNetwork({ name: 'n' })
    const sandbox = await controller.createSandbox({ name: 's' })
    let asked = 0
    const server = await sandbox.listen(
      createServer(() => asked++),
      { port: TAKEN },
    )
    crypto.randomInt = () => TAKEN
    syncBuiltinESMExports()
    await sandbox.connect(network, { name: 'here' })
    const found = await sandbox.resolve('here')
    expect(found).toHaveLength(1)
    // Over TCP too, questions are the resolver's: it closes a connection that it cannot make sense of.
    const socket = await sandbox.dial({ host: '127.0.0.11', port: 53 })
    const closed = once(socket.resume(), 'close')
    socket.end(Buffer.alloc(2))
    await closed
    expect(asked).toBe(0)
    expect(await controller.check()).toEqual([])
    await controller.close()
    controller = await open()
    expect(await controller.check()).toEqual([])
    expect(await controller.sandboxes.get('s').resolve('here')).toEqual(found)
    server.close()
    await controller.sandboxes.get('s').delete()
    await controller.networks.get('n').delete()
    await controller.close()
    expect(await leftBehind(before)).toEqual([])
  })
})
