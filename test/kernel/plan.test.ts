import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Controller } from 'libcnm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { leftBehind, takeCensus, type Census } from '../census.js'
import { needs, needsPrivileges } from '../tools.js'

/** Descriptors aside: the threads of the controller open and close theirs in their own time. */
const changed = (before: Census): Promise<string[]> => leftBehind(before, { except: ['descriptors'] })

describe.skipIf(needsPrivileges() ?? needs('ip'))('plan', () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'cnm-plan-'))
  let controller: Controller
  beforeAll(async () => {
    controller = await Controller.open({ stateDir, instance: 'plan' })
  })
  afterAll(async () => {
    await controller.close()
    rmSync(stateDir, { recursive: true, force: true })
  })

  it('says what creating would do, as text and as data, and does nothing', async () => {
    const before = await takeCensus()
    const plan = await controller.plan(async (shadow) => {
      const network = await shadow.createNetwork({ name: 'n', options: { 'com.docker.network.bridge.name': 'br-planned' } })
      const sandbox = await shadow.createSandbox({ name: 's' })
      const endpoint = await sandbox.connect(network, { ports: [{ host: 8080, container: 80 }] })
      return endpoint.addresses
    })
    expect(plan.result).toEqual(['172.16.0.2/24'])
    expect(plan.text).toMatch(/ip link add (name )?br-planned .*type bridge/)
    expect(plan.text).toContain('ip netns add /run/netns/plan-')
    expect(plan.text).toMatch(/172\.16\.0\.2\/24 dev eth0/)
    expect(plan.transactions.flat().some((operation) => operation.do === 'create' && operation.object.kind === 'link')).toBe(true)
    expect(controller.networks.size + controller.sandboxes.size).toBe(0)
    expect(await changed(before)).toEqual([])
  })

  it('of a removal: what is there would go, and stays', async () => {
    const network = await controller.createNetwork({ name: 'real' })
    const sandbox = await controller.createSandbox({ name: 'real' })
    await sandbox.connect(network)
    // The resolver's thread has opened what it needs when it answers.
    await sandbox.resolve('real')
    const before = await takeCensus()
    const plan = await controller.plan((shadow) => shadow.sandboxes.get('real').delete())
    expect(plan.text).toMatch(/ip link del(ete)? veth/)
    expect(plan.text).toContain('ip netns delete')
    expect(await changed(before)).toEqual([])
    expect(await controller.check()).toEqual([])
    await sandbox.delete()
    await network.delete()
  })

  it('refuses what would be refused', async () => {
    await controller.createNetwork({ name: 'taken' })
    await expect(controller.plan((shadow) => shadow.createNetwork({ name: 'taken' }))).rejects.toMatchObject({
      code: 'ERR_CNM_NETWORK_EXISTS',
    })
    await controller.networks.get('taken').delete()
  })
})
