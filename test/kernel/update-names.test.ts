import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Controller, type Endpoint, type Network, type Sandbox } from 'libcnm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { leftBehind, takeCensus, type Census } from '../census.js'
import { needs, needsPrivileges } from '../tools.js'

describe.skipIf(needsPrivileges() ?? needs('ip', 'dig', 'getent'))('names that change while programs run', () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'cnm-'))
  let controller: Controller
  let network: Network
  let asker: Sandbox
  let web: Sandbox
  let endpoint: Endpoint
  let before: Census
  const open = (): Promise<Controller> => Controller.open({ stateDir, instance: 'names' })
  const dig = async (...question: string[]): Promise<string> =>
    (await asker.run('dig', ['+short', '+tries=3', '+time=3', ...question])).stdout.trim()
  const address = (): string => endpoint.addresses[0]!.split('/')[0]!

  beforeAll(async () => {
    controller = await open()
    network = await controller.createNetwork({ name: 'front', dnsTtl: 7 })
    const first = await controller.createSandbox({ name: 'first' })
    await first.connect(network)
    await first.run('true')
    await first.delete()
    before = await takeCensus()
    asker = await controller.createSandbox({ name: 'asker' })
    await asker.connect(network)
    web = await controller.createSandbox({ name: 'web', extraHosts: { old: '192.0.2.1' } })
    endpoint = await web.connect(network, { aliases: ['www'] })
  })
  afterAll(async () => {
    for (const sandbox of controller.sandboxes.list()) await sandbox.delete()
    expect(await leftBehind(before)).toEqual([])
    await network.delete()
    await controller.close()
    rmSync(stateDir, { recursive: true })
  })

  it('aliases and services of an endpoint', async () => {
    expect(await dig('www')).toBe(address())
    await endpoint.update({ aliases: ['shop'], services: [{ name: 'http', port: 8080 }], labels: { tier: 'web' } })
    expect(await dig('shop')).toBe(address())
    expect(await dig('_http._tcp.web', 'SRV')).toBe('0 0 8080 web.front.')
    expect(await dig('www')).toBe('')
    expect(endpoint.labels).toEqual({ tier: 'web' })
  })

  it('the TTL of a network', async () => {
    const full = async (): Promise<string> => (await asker.run('dig', ['+noall', '+answer', 'web'])).stdout
    expect(await full()).toMatch(/^web\.\s+7\s+IN/)
    await network.update({ dnsTtl: 0 })
    expect(await full()).toMatch(/^web\.\s+0\s+IN/)
  })

  it('the name of a sandbox, with its endpoints of that name; the old one is free', async () => {
    await web.update({ name: 'site' })
    expect(controller.sandboxes.get('site')).toBe(web)
    expect(controller.sandboxes.find('web')).toBeUndefined()
    expect(endpoint.name).toBe('site')
    expect(network.endpoints).toContain(endpoint)
    expect(await dig('site')).toBe(address())
    expect(await dig('site.front')).toBe(address())
    expect(await dig('web')).toBe('')
    expect(await dig('-x', address())).toContain('site.front.')
    expect((await web.run('hostname')).stdout).toBe('web\n')
  })

  it('a name that is taken changes nothing', async () => {
    await expect(web.update({ name: 'asker' })).rejects.toMatchObject({ code: 'ERR_CNM_SANDBOX_EXISTS' })
    const other = await network.createEndpoint({ name: 'taken' })
    await expect(web.update({ name: 'taken' })).rejects.toMatchObject({ code: 'ERR_CNM_ENDPOINT_EXISTS' })
    await expect(endpoint.update({ name: 'taken' })).rejects.toMatchObject({ code: 'ERR_CNM_ENDPOINT_EXISTS' })
    await expect(endpoint.update({ aliases: ['a b'] })).rejects.toMatchObject({ code: 'ERR_CNM_INVALID_ARGUMENT', field: 'aliases' })
    await expect(endpoint.update({ mac: '02:00:00:00:00:01' } as never)).rejects.toMatchObject({ code: 'ERR_CNM_UNKNOWN_OPTION' })
    await other.delete()
    expect(await dig('site')).toBe(address())
    await controller.createSandbox({ name: 'taken' }).then((sandbox) => sandbox.delete())
  })

  it('hosts and search lists of a sandbox', async () => {
    await web.update({ extraHosts: { old: null, fresh: '192.0.2.7' }, dns: { search: ['corp.test'] } })
    expect((await web.run('getent', ['hosts', 'fresh'])).stdout).toContain('192.0.2.7')
    expect((await web.run('cat', ['/etc/resolv.conf'])).stdout).toContain('search corp.test')
    expect((await web.run('cat', ['/etc/hosts'])).stdout).not.toContain('192.0.2.1')
  })

  it('are kept over a restart', async () => {
    await controller.close()
    controller = await open()
    network = controller.networks.get('front')
    asker = controller.sandboxes.get('asker')
    web = controller.sandboxes.get('site')
    endpoint = web.endpoints[0]!
    expect(await dig('shop')).toBe(address())
    expect(await dig('site')).toBe(address())
  })

  it('a name longer than DNS allows is no name there, and harms nobody', async () => {
    const name = 'x'.repeat(100)
    const long = await controller.createSandbox({ name })
    const joined = await long.connect(network, { aliases: ['short'] })
    expect(await dig('short')).toBe(joined.addresses[0]!.split('/')[0])
    await expect(network.createEndpoint({ name: 'y', aliases: [name] })).rejects.toMatchObject({ code: 'ERR_CNM_INVALID_ARGUMENT' })
    await long.delete()
  })
})
