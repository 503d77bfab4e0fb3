import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Controller, type Endpoint, type Network, type Sandbox } from 'libcnm'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { leftBehind, takeCensus, type Census } from '../census.js'
import { sh, succeeds } from '../drivers/world.js'
import { needs, needsPrivileges } from '../tools.js'

/** Longer than between two tries. */
const PATIENCE = { timeout: 60_000, interval: 100 }

const at = (sandbox: Sandbox): string => sandbox.netns.split('/').pop()!
const bridgeOf = (network: Network): string => `br-${network.id.slice(0, 12)}`
const address = (endpoint: Endpoint): string => endpoint.addresses[0]!.split('/')[0]!
const parameterOf = (name: string): string => sh('host', 'cat', `/proc/sys/net/ipv6/conf/${name}/disable_ipv6`).trim()
const linkText = (name: string): string => sh('host', 'ip', '-d', 'addr', 'show', name)

describe.skipIf(needsPrivileges() ?? needs('ip', 'ping', 'bridge'))('what the kernel refuses', () => {
  let before: Census
  let controller: Controller
  let stateDir: string
  let warnings: string[]

  const open = async (watch = true): Promise<void> => {
    controller = await Controller.open({ stateDir, instance: 'way', watch })
    warnings = []
    controller.on('warning', ({ message }) => warnings.push(message))
  }
  /** Two sandboxes on a network that reach each other. */
  const pair = async (network: Network, names: [string, string]): Promise<() => Promise<boolean>> => {
    const [a, b] = [await sandboxOf(names[0]), await sandboxOf(names[1])]
    await a.connect(network)
    const to = address(await b.connect(network))
    return async () => succeeds(at(await sandboxOf(names[0])), 'ping', '-c1', '-W1', to)
  }
  const sandboxOf = async (name: string): Promise<Sandbox> =>
    controller.sandboxes.list().find((known) => known.name === name) ?? (await controller.createSandbox({ name }))
  const healthy = (): Promise<void> => expect.poll(async () => (await controller.status()).reasons, PATIENCE).toEqual([])

  beforeEach(async () => {
    before = await takeCensus()
    stateDir = mkdtempSync(join(tmpdir(), 'cnm-'))
    await open()
  })
  afterEach(async () => {
    for (const sandbox of controller.sandboxes.list()) await sandbox.delete()
    for (const network of controller.networks.list()) await network.delete()
    await controller.close()
    rmSync(stateDir, { recursive: true })
    expect(await leftBehind(before)).toEqual([])
  })

  describe("a link of somebody else's that has the name of ours", () => {
    it.each(['bridge', 'veth'])('%s: the rest works, it is left alone, and ours comes when it goes', async (type) => {
      const [one, two] = [await controller.createNetwork({ name: 'one' }), await controller.createNetwork({ name: 'two' })]
      const [onOne, onTwo] = [await pair(one, ['a', 'b']), await pair(two, ['a', 'c'])]
      const name = bridgeOf(one)
      await controller.close()
      sh('host', 'ip', 'link', 'del', name)
      sh('host', 'ip', 'link', 'add', name, 'type', type)
      sh('host', 'ip', 'addr', 'add', '10.99.0.1/24', 'dev', name)
      const theirs = linkText(name)

      await open()
      await expect.poll(onTwo, PATIENCE).toBe(true)
      expect(await onOne()).toBe(false)
      expect((await controller.check()).find(({ object }) => object === `host link ${name}`)).toMatchObject({
        problem: 'foreign',
        owners: [`network/${one.id}`],
      })
      const { health, reasons } = await controller.status()
      expect([health, reasons.some((reason) => reason.startsWith(`host link ${name}: foreign`))]).toEqual(['degraded', true])
      await expect.poll(() => warnings.find((message) => message.startsWith('network one: ')), PATIENCE).toContain(name)
      await expect.poll(() => warnings.some((message) => message.startsWith('could not put back')), PATIENCE).toBe(true)

      // What else is changed is put back all the same.
      sh('host', 'ip', 'link', 'del', bridgeOf(controller.networks.get('two')))
      await expect.poll(onTwo, PATIENCE).toBe(true)
      expect([linkText(name), parameterOf(name)]).toEqual([theirs, '0'])
      sh('host', 'ip', 'link', 'del', name)
      await expect.poll(onOne, PATIENCE).toBe(true)
      await healthy()
    })

    it('is named by repair, and not removed with the network', async () => {
      const one = await controller.createNetwork({ name: 'one' })
      const name = bridgeOf(one)
      await controller.close()
      sh('host', 'ip', 'link', 'del', name)
      sh('host', 'ip', 'link', 'add', name, 'type', 'bridge')
      await open(false)
      await expect(controller.repair()).rejects.toMatchObject({ code: 'ERR_CNM_LINK_EXISTS', message: expect.stringContaining(name) })
      await controller.networks.get('one').delete()
      expect(linkText(name)).toContain('bridge')
      sh('host', 'ip', 'link', 'del', name)
    })
  })

  it.each([false, true])(
    'a parent that is missing (namespaces too: %s): the rest works, and all of it when the parent is back',
    async (reboot) => {
      const parent = (): string => sh('host', 'ip', 'link', 'add', 'own0', 'up', 'type', 'veth', 'peer', 'name', 'own1')
      parent()
      const lan = await controller.createNetwork({
        name: 'lan',
        driver: 'macvlan',
        options: { parent: 'own0', host_access: 'true' },
        ipam: { pools: [{ subnet: '10.78.0.0/24', gateway: '10.78.0.1', reserved: { host: '10.78.0.2' } }] },
      })
      const other = await controller.createNetwork({ name: 'other' })
      const onOther = await pair(other, ['a', 'b'])
      const onLan = await pair(lan, ['a', 'b'])
      await controller.close()
      sh('host', 'ip', 'link', 'del', 'own0')
      if (reboot) for (const sandbox of controller.sandboxes.list()) sh('host', 'ip', 'netns', 'del', at(sandbox))

      await open()
      await expect.poll(onOther, PATIENCE).toBe(true)
      const { health, reasons } = await controller.status()
      expect([health, reasons.some((reason) => reason.includes('link eth1: missing'))]).toEqual(['degraded', true])
      await expect.poll(() => warnings.join('\n'), PATIENCE).toMatch(/network lan: .*own0/)
      expect(warnings.join('\n')).toMatch(/endpoint a: .*own0/)
      await expect((await sandboxOf('c')).connect(controller.networks.get('lan'))).rejects.toMatchObject({ code: 'ERR_CNM_LINK_NOT_FOUND' })
      parent()
      sh('host', 'ip', 'link', 'set', 'own1', 'up')
      await expect.poll(onLan, PATIENCE).toBe(true)
      await healthy()
      for (const sandbox of controller.sandboxes.list()) await sandbox.delete()
      sh('host', 'ip', 'link', 'del', 'own0')
    },
  )
})
