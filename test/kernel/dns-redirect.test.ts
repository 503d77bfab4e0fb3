import { execFileSync } from 'node:child_process'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { openResolverSockets, resolverRedirect } from 'libcnm/drivers/dns'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { leftBehind, takeCensus, type Census } from '../census.js'
import { needs, needsPrivileges } from '../tools.js'
import { makeWorld, readReply, udpClient, type SandboxPlace, type World } from './dns-world.js'

const VIEW = { networks: ['n'], forwarding: { to: 'none' as const } }
const nft = (at: string, rules: string): void => void execFileSync('nsenter', [`--net=${at}`, 'nft', '-f', '-'], { input: rules })

describe.skipIf(needsPrivileges() ?? needs('ip', 'nsenter', 'nft', 'dig'))('the resolver in a sandbox', () => {
  let world: World
  let place: SandboxPlace
  let before: Census

  beforeEach(async () => {
    before = await takeCensus()
    world = await makeWorld()
    world.resolver.putNetwork({ id: 'n', name: 'front', endpoints: [{ id: 'e', names: ['web'], addresses: ['10.1.0.5', 'fd00::5'] }] })
    place = await world.sandbox('redirect', VIEW, { ipv6: true })
  })
  afterEach(async () => {
    await world.close()
    expect(world.faults).toEqual([])
    expect(await leftBehind(before)).toEqual([])
  })

  // Other test files load the queue of packets that all namespaces of a processor share: it may drop one.
  const dig = (server: string, ...args: string[]): Promise<string> =>
    world.inside(place.at, 'dig', [`@${server}`, '+short', '+tries=5', '+time=3', ...args, 'web'])

  it('is found over UDP and TCP, at its IPv4 and its IPv6 address', async () => {
    expect(await dig('127.0.0.11')).toBe('10.1.0.5\n')
    expect(await dig('127.0.0.11', '+tcp')).toBe('10.1.0.5\n')
    expect(await dig('fd63:6e6d:646e::53')).toBe('10.1.0.5\n')
    expect(await dig('fd63:6e6d:646e::53', '+tcp')).toBe('10.1.0.5\n')
  })

  it('leaves port 53 to the sandbox: its own server binds 0.0.0.0:53 and is found everywhere else', async () => {
    const { fd } = await world.kernel.socket(place.at, { type: 'udp', address: '0.0.0.0', port: 53 })
    const own: Socket = createSocket('udp4')
    const listening = once(own, 'listening')
    own.bind({ fd })
    await listening
    own.on('message', (query, from) => {
      const reply = Buffer.from(query)
      reply.set([0x84, 0x05], 2)
      own.send(reply, from.port, from.address)
    })
    const { fd: tcp } = await world.kernel.socket(place.at, { type: 'tcp-listen', address: '0.0.0.0', port: 53 })
    expect(await dig('127.0.0.11')).toBe('10.1.0.5\n')
    expect(await dig('127.0.0.11', '+tcp')).toBe('10.1.0.5\n')
    expect(await world.inside(place.at, 'dig', ['@127.0.0.1', '+tries=5', '+time=3', 'web'])).toContain('status: REFUSED')
    own.close()
    const { closeSync } = await import('node:fs')
    closeSync(tcp)
  })

  it('answers from the address that was asked, which connected sockets insist on', async () => {
    const client = await udpClient(world.kernel, place.at)
    const from = once(client.socket, 'message')
    await client.ask('web', 'A')
    const [bytes, sender] = (await from) as [Buffer, { address: string; port: number }]
    expect(sender).toMatchObject({ address: '127.0.0.11', port: 53 })
    expect(readReply(bytes).code).toBe('NOERROR')
    await client.close()
  })

  it('works with an input policy of drop that lets loopback in', async () => {
    nft(place.at, 'table inet user { chain input { type filter hook input priority 0; policy drop; iif "lo" accept; }\n }')
    expect(await dig('127.0.0.11')).toBe('10.1.0.5\n')
    expect(await dig('127.0.0.11', '+tcp')).toBe('10.1.0.5\n')
  })

  it('needs one rule where loopback is dropped too: a verdict of ours cannot undo a drop of another table', async () => {
    nft(
      place.at,
      'table inet user { chain input { type filter hook input priority 0; policy drop; ct state established,related accept; }\n }',
    )
    expect(await dig('127.0.0.11', '+tries=1', '+time=1')).toContain('no servers could be reached')
    nft(place.at, 'add rule inet user input ip daddr 127.0.0.11 accept')
    expect(await dig('127.0.0.11')).toBe('10.1.0.5\n')
    expect(await dig('127.0.0.11', '+tcp')).toBe('10.1.0.5\n')
  })

  it.skipIf(needs('conntrack'))('is not tracked: questions fill no table of connections', async () => {
    expect(await dig('127.0.0.11')).toBe('10.1.0.5\n')
    const tracked = (): Promise<string> => world.inside(place.at, 'conntrack', ['-L'])
    expect(await tracked()).not.toContain('127.0.0.11')
    // With a rule that needs it, they are.
    nft(place.at, 'table inet user { chain input { type filter hook input priority 0; ct state established accept; }\n }')
    expect(await dig('127.0.0.11')).toBe('10.1.0.5\n')
    expect(await tracked()).toContain('127.0.0.11')
  })

  it('takes the ports of before again, so that rules that are still there stay right', async () => {
    await world.resolver.removeSandbox('redirect')
    const again = await openResolverSockets(world.kernel, place.at, 4, place.ports)
    expect(again.ports).toEqual(place.ports)
    const third = await openResolverSockets(world.kernel, place.at, 4, place.ports)
    expect(third.ports.udp).not.toBe(place.ports.udp)
    world.resolver.addSandbox({ id: 'redirect', udp: [again.udp, third.udp], tcp: [again.tcp, third.tcp], view: VIEW })
    expect(await dig('127.0.0.11')).toBe('10.1.0.5\n')
  })

  it('describes rules that the kernel shows as they were meant', () => {
    const shown = execFileSync('nsenter', [`--net=${place.at}`, 'nft', 'list', 'table', 'inet', 'cnm-dns'], { encoding: 'utf8' })
    expect(shown).toContain(`ip daddr 127.0.0.11 udp dport 53 udp dport set ${place.ports.udp}`)
    expect(shown).toContain(`ip saddr 127.0.0.11 tcp sport ${place.ports.tcp} tcp sport set 53`)
    expect(shown.match(/ip6 daddr fd63:6e6d:646e::53 (udp|tcp) dport 53 /g)).toHaveLength(2)
    expect(resolverRedirect({ at: place.at, table: 't' }).map((object) => object.kind)).toEqual(['nft-table', 'nft-chain', 'nft-chain'])
  })
})
