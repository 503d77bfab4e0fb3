import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Controller, type Endpoint, type Network, type Sandbox } from 'libcnm'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { leftBehind, takeCensus, type Census } from '../census.js'
import { sh } from '../drivers/world.js'
import { needs, needsPrivileges } from '../tools.js'
import { DhcpServer } from './dhcp-server.js'
import { addressLan, LAN, makeLan, removeLan, ROUTERS } from './lan.js'

const RANGE = ['10.77.0.50', '10.77.0.59'] as const
const OTHER = ['10.77.0.80', '10.77.0.89'] as const

const ip = <T>(sandbox: Sandbox, ...args: string[]): T[] =>
  JSON.parse(sh(sandbox.netns.split('/').pop()!, 'ip', '-j', '-4', ...args)) as T[]
const inside = (sandbox: Sandbox): string[] =>
  ip<{ addr_info: { local: string; prefixlen: number }[] }>(sandbox, 'addr', 'show', 'dev', 'eth0').flatMap(({ addr_info = [] }) =>
    addr_info.map(({ local, prefixlen }) => `${local}/${prefixlen}`),
  )
const gateways = (sandbox: Sandbox): (string | undefined)[] =>
  ip<{ dst: string; gateway?: string }>(sandbox, 'route')
    .filter(({ dst }) => dst === 'default')
    .map(({ gateway }) => gateway)

describe.skipIf(needsPrivileges() ?? needs('ip', 'dnsmasq', 'ping'))('addresses from a DHCP server', () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'cnm-'))
  const server = new DhcpServer()
  let before: Census
  let controller: Controller
  let network: Network
  let sandbox: Sandbox
  let warnings: string[]

  const open = async (): Promise<void> => {
    controller = await Controller.open({ stateDir, instance: 'dhcp' })
    controller.on('warning', ({ message }) => warnings.push(message))
  }
  const change = (): Promise<unknown> => once(controller as never, 'endpoint:change')
  const start = (more: Partial<Parameters<DhcpServer['start']>[0]> = {}): Promise<void> =>
    server.start({ range: RANGE, forget: true, ...more })

  beforeAll(async () => {
    makeLan()
  })
  beforeEach(async () => {
    before = await takeCensus()
    warnings = []
    await open()
    network = await controller.createNetwork({ name: 'lan', driver: 'macvlan', ipam: { driver: 'dhcp' }, options: { parent: 'up0' } })
    sandbox = await controller.createSandbox({ name: 'box', hostname: 'box.example' })
  })
  afterEach(async () => {
    for (const box of controller.sandboxes.list()) await box.delete()
    for (const each of controller.networks.list()) await each.delete()
    await controller.close()
    await server.stop()
    expect(await leftBehind(before)).toEqual([])
  })
  afterAll(() => {
    removeLan()
    server.remove()
    rmSync(stateDir, { recursive: true })
  })

  const connect = async (more: Parameters<Sandbox['connect']>[1] = {}): Promise<Endpoint> => sandbox.connect(network, more)

  it('are got at join, with gateway and name, and given back at leave', async () => {
    await start()
    const endpoint = await connect()
    const [address] = inside(sandbox)
    expect(address).toMatch(/^10\.77\.0\.5\d\/24$/)
    expect(endpoint.addresses).toEqual([address])
    expect(gateways(sandbox)).toEqual([ROUTERS[0]])
    expect((await sandbox.run('ping', ['-c1', '-W2', ROUTERS[1]])).code).toBe(0)
    expect(server.lines(/DHCPACK/)).toEqual([expect.stringMatching(new RegExp(`${address!.split('/')[0]} ${endpoint.mac} box`))])
    await endpoint.leave()
    await server.said(/DHCPRELEASE/)
    expect(server.lines(/DHCPRELEASE/)).toEqual([expect.stringContaining(`${address!.split('/')[0]} ${endpoint.mac}`)])
    // The id of the client is the endpoint's: it gets the same address again.
    await endpoint.join(sandbox)
    expect(endpoint.addresses).toEqual([address])
  })

  it('a static one is asked for, and nothing else will do', async () => {
    await start()
    const endpoint = await connect({ addresses: ['10.77.0.57'] })
    expect(inside(sandbox)).toEqual(['10.77.0.57/24'])
    await endpoint.delete({ force: true })
    const picky = await controller.createNetwork({
      name: 'picky',
      driver: 'macvlan',
      ipam: { driver: 'dhcp', options: { timeout: '2' } },
      options: { parent: 'up0' },
    })
    await expect(sandbox.connect(picky, { addresses: ['10.77.0.200'] })).rejects.toMatchObject({
      code: 'ERR_CNM_ADDRESS_IN_USE',
      message: expect.stringMatching(/10\.77\.0\.200 is not to be had; 10\.77\.0\.5\d is offered/),
    })
  })

  it('come to endpoints on a bridge that somebody else made', async () => {
    sh('host', 'sh', '-ec', 'ip link add own0 type bridge && ip link set own0 addrgenmode none up && ip link set up0 master own0')
    try {
      await start()
      const options = { 'com.docker.network.bridge.name': 'own0' }
      const ipam = { driver: 'dhcp' }
      await expect(controller.createNetwork({ name: 'managed', driver: 'bridge', ipam, options })).rejects.toMatchObject({
        code: 'ERR_CNM_INVALID_ARGUMENT',
        message: expect.stringContaining('unmanaged'),
      })
      const bridged = await controller.createNetwork({
        name: 'bridged',
        driver: 'bridge',
        ipam,
        options: { ...options, mode: 'unmanaged' },
      })
      const endpoint = await sandbox.connect(bridged)
      expect(endpoint.addresses).toEqual([expect.stringMatching(/^10\.77\.0\.5\d\/24$/)])
      expect(gateways(sandbox)).toEqual([ROUTERS[0]])
      await endpoint.delete({ force: true })
    } finally {
      sh('host', 'ip', 'link', 'delete', 'own0')
    }
  })

  it('of IPv6 there are none, nor any that a range or a size is asked for', async () => {
    const create = (more: object): Promise<Network> =>
      controller.createNetwork({ name: 'more', driver: 'macvlan', options: { parent: 'up0' }, ipam: { driver: 'dhcp' }, ...more })
    await expect(create({ enableIPv6: true })).rejects.toMatchObject({ code: 'ERR_CNM_NOT_SUPPORTED', field: 'enableIPv6' })
    for (const pool of [{ subnet: '10.77.0.0/24', range: '10.77.0.0/25' }, { subnet: '0.0.0.0/24' }])
      await expect(create({ ipam: { driver: 'dhcp', pools: [pool] } })).rejects.toMatchObject({ code: 'ERR_CNM_INVALID_ARGUMENT' })
    await expect(create({ ipam: { driver: 'dhcp', options: { client_idd: 'mac' } } })).rejects.toMatchObject({
      code: 'ERR_CNM_UNKNOWN_OPTION',
    })
  })

  it('without a server the join fails in time, and leaves nothing', async () => {
    const lonely = await controller.createNetwork({
      name: 'lonely',
      driver: 'macvlan',
      ipam: { driver: 'dhcp', options: { timeout: '1' } },
      options: { parent: 'up0' },
    })
    await expect(sandbox.connect(lonely)).rejects.toMatchObject({
      code: 'ERR_CNM_TIMEOUT',
      message: 'no DHCP server answers on interface eth0',
    })
    expect(ip<{ ifname: string }>(sandbox, 'link').map(({ ifname }) => ifname)).toEqual(['lo'])
  })

  it('are renewed in time; another gateway is applied to the running interface', async () => {
    await start({ renew: 1, rebind: 3 })
    const endpoint = await connect()
    const before = endpoint.addresses
    await server.said(/DHCPACK[^]*DHCPACK/)
    await server.stop()
    const changed = change()
    await server.start({ range: RANGE, renew: 1, rebind: 3, router: ROUTERS[1] })
    await changed
    expect(gateways(sandbox)).toEqual([ROUTERS[1]])
    expect(endpoint.addresses).toEqual(before)
    expect(warnings).toEqual([])
  })

  it('are asked of anybody when their own server is silent', async () => {
    await start({ renew: 1, rebind: 6 })
    const endpoint = await connect()
    const held = endpoint.addresses
    await server.stop()
    // The server has another address now, and what is sent to the old one is for nobody.
    addressLan(ROUTERS[1])
    try {
      await server.start({ range: RANGE, renew: 1, rebind: 6 })
      await server.said(/DHCPACK[^]*server-identifier.*\n/)
      expect(server.lines(/server-identifier/)[0]).toContain(ROUTERS[1])
      expect(inside(sandbox)).toEqual(held)
    } finally {
      addressLan(...ROUTERS)
    }
  })

  it('that change while a connection is open: the new one is there, with an event, and connections can be made from it', async () => {
    await start({ renew: 1, rebind: 3 })
    const endpoint = await connect({ aliases: ['server'] })
    const accepted: net.Socket[] = []
    const listener = net.createServer((socket) => {
      accepted.push(socket)
      socket.on('error', () => undefined).pipe(socket)
    })
    await sandbox.listen(listener, { port: 7, host: '0.0.0.0' })
    const old = endpoint.addresses[0]!
    const outer = await controller.createSandbox({ name: 'outer', netns: `/run/netns/${LAN}` })
    const open = await outer.dial({ host: old.split('/')[0]!, port: 7 })
    open.on('error', () => undefined)
    open.write('a')
    expect(String((await once(open, 'data'))[0])).toBe('a')

    await server.stop()
    await server.start({ range: OTHER, renew: 1, rebind: 3, forget: true })
    await expect.poll(() => inside(sandbox), { timeout: 10_000 }).toEqual([expect.stringMatching(/^10\.77\.0\.8\d\/24$/)])
    expect(endpoint.addresses).toEqual(inside(sandbox))
    expect(server.lines(/DHCPNAK/)).not.toEqual([])
    expect(warnings).toEqual(['endpoint box of network lan: its lease has ended and was not renewed'])
    const again = await outer.dial({ host: endpoint.addresses[0]!.split('/')[0]!, port: 7 })
    again.write('b')
    expect(String((await once(again, 'data'))[0])).toBe('b')
    // The address that the first one came to is nobody's any more.
    expect((await outer.run('ping', ['-c1', '-W1', old.split('/')[0]!])).code).not.toBe(0)
    // The sandbox goes all the same, and its interface with it.
    await sandbox.delete()
    expect(sh('host', 'bridge', 'fdb', 'show', 'dev', 'up0')).not.toContain(endpoint.mac)
    for (const socket of [open, again, ...accepted]) socket.destroy()
    listener.close()
  })

  it('survive a restart of the controller, and of a server that is away meanwhile', async () => {
    await start({ renew: 2, rebind: 3 })
    const endpoint = await connect()
    const held = endpoint.addresses
    await controller.close()
    expect(server.lines(/DHCPRELEASE/)).toEqual([])
    await server.stop()
    await open()
    network = controller.networks.get('lan')
    sandbox = controller.sandboxes.get('box')
    expect(inside(sandbox)).toEqual(held)
    await server.start({ range: RANGE, renew: 2, rebind: 3 })
    await server.said(/DHCPACK/)
    expect(inside(sandbox)).toEqual(held)
    expect(sandbox.endpoints[0]!.addresses).toEqual(held)
    expect(warnings).toEqual([])
  })
})
