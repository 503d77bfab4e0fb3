import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CnmError, Controller } from 'libcnm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Core } from '../../src/controller/core.js'
import { leftBehind, takeCensus } from '../census.js'
import { needsPrivileges } from '../tools.js'

describe.skipIf(needsPrivileges())('an address of which something is left in the kernel', () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'cnm-'))
  let controller: Controller

  beforeAll(async () => {
    controller = await Controller.open({ stateDir, instance: 'kept' })
  })
  afterAll(async () => {
    await controller.close()
    rmSync(stateDir, { recursive: true })
  })

  it("is nobody's until collection has removed what was left", async () => {
    const network = await controller.createNetwork({ name: 'front', ipam: { pools: [{ subnet: '10.78.0.0/24' }] } })
    const first = await controller.createSandbox({ name: 'first' })
    await first.connect(network)
    await first.delete()
    const before = await takeCensus()
    const sandbox = await controller.createSandbox({ name: 'box' })
    const endpoint = await network.createEndpoint({ name: 'box' })
    const [address] = endpoint.addresses
    // A transaction that cannot be undone whole is made up: the kernel gives none on demand.
    const { core } = network as unknown as { core: Core }
    const { engine } = core
    const apply = engine.apply.bind(engine)
    engine.apply = async () => {
      engine.apply = apply
      throw new CnmError('ERR_CNM_KERNEL', 'the kernel refused; not everything could be undone', { cause: new AggregateError([]) })
    }
    await expect(endpoint.join(sandbox)).rejects.toMatchObject({ code: 'ERR_CNM_KERNEL' })
    await endpoint.delete()
    const leases = await core.ipam.get('default')!.leases!(network.record.pools[0]!.id)
    expect(leases.filter(({ quarantined }) => quarantined).map((lease) => lease.address)).toEqual([address])
    await expect(network.createEndpoint({ name: 'other', addresses: [address!.split('/')[0]!] })).rejects.toMatchObject({
      code: 'ERR_CNM_ADDRESS_IN_USE',
    })
    expect((await controller.collect()).addresses).toEqual([address])
    const next = await network.createEndpoint({ name: 'next' })
    expect(next.addresses).toEqual([address])
    await next.delete()
    await sandbox.delete()
    expect(await leftBehind(before)).toEqual([])
    await network.delete()
  })
})
