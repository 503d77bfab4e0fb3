import { execFileSync } from 'node:child_process'
import { createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { LinkObject, WireguardOptions, WireguardPeer } from '../../src/contracts/kernel-objects.js'
import { NETLINK_GENERIC, type ObjectHandler } from '../../src/kernel/handler.js'
import { handlerOf } from '../../src/kernel/handlers.js'
import { probe } from '../../src/kernel/probe/index.js'
import { applyWireguard, readWireguard } from '../../src/kernel/wireguard/index.js'
import { openSession, type OpenSession } from '../kernel/session.js'
import { needs, needsPrivileges, skipping } from '../tools.js'

const run = (command: string, ...args: string[]): string => execFileSync(command, args, { encoding: 'utf8', stdio: 'pipe' })
const { available, reason } = probe(['link-wireguard']).features['link-wireguard']
const cannot = needsPrivileges() ?? needs('ip', 'ping', 'wg') ?? (available ? undefined : skipping(`no WireGuard: ${reason}`))

const FAR = '/run/netns/wg-far'
const toBase64 = (url: string): string => Buffer.from(url, 'base64url').toString('base64')

function keyPair(): { secret: string; open: string } {
  const { privateKey } = generateKeyPairSync('x25519')
  return {
    secret: toBase64(privateKey.export({ format: 'jwk' }).d!),
    open: toBase64(createPublicKey(privateKey).export({ format: 'jwk' }).x!),
  }
}

const link = (at: string, wireguard: WireguardOptions): Extract<LinkObject, { type: 'wireguard' }> => ({
  kind: 'link',
  at,
  name: 'wg0',
  type: 'wireguard',
  wireguard,
})

describe.skipIf(cannot)('WireGuard', () => {
  let open: OpenSession
  const [here, far] = [keyPair(), keyPair()]
  const presharedKey = randomBytes(32).toString('base64')

  beforeAll(() => {
    run('ip', 'netns', 'add', 'wg-far')
    run('ip', 'link', 'add', 'wgv0', 'type', 'veth', 'peer', 'name', 'wgv1', 'netns', 'wg-far')
    run('ip', 'address', 'add', '10.94.0.1/24', 'dev', 'wgv0')
    run('ip', '-n', 'wg-far', 'address', 'add', '10.94.0.2/24', 'dev', 'wgv1')
    run('ip', 'link', 'set', 'wgv0', 'up')
    run('ip', '-n', 'wg-far', 'link', 'set', 'wgv1', 'up')
  })
  beforeEach(() => {
    for (const [ns, address] of [
      [[], '10.95.0.1/24'],
      [['-n', 'wg-far'], '10.95.0.2/24'],
    ] as const) {
      run('ip', ...ns, 'link', 'add', 'wg0', 'type', 'wireguard')
      run('ip', ...ns, 'address', 'add', address, 'dev', 'wg0')
      run('ip', ...ns, 'link', 'set', 'wg0', 'up')
    }
    open = openSession()
  })
  afterEach(() => {
    open[Symbol.dispose]()
    run('ip', 'link', 'del', 'wg0')
    run('ip', '-n', 'wg-far', 'link', 'del', 'wg0')
  })
  afterAll(() => {
    run('ip', 'link', 'del', 'wgv0')
    run('ip', 'netns', 'del', 'wg-far')
  })

  const apply = (object: ReturnType<typeof link>, from?: ReturnType<typeof link>): void => {
    applyWireguard(object, open.session, from)
    open.session.flush()
  }
  const state = (at = 'host'): ReturnType<typeof readWireguard> => readWireguard(open.session.socket(at, NETLINK_GENERIC), 'wg0')
  const hereConfig = (peers: WireguardPeer[] = []): ReturnType<typeof link> =>
    link('host', {
      privateKey: here.secret,
      listenPort: 51820,
      firewallMark: 0x42,
      peers: [
        { publicKey: far.open, presharedKey, endpoint: '10.94.0.2:51821', keepalive: 25, allowedAddresses: ['10.95.0.2/32', 'fd95::/64'] },
        ...peers,
      ],
    })
  const farConfig = link(FAR, {
    privateKey: far.secret,
    listenPort: 51821,
    peers: [{ publicKey: here.open, presharedKey, allowedAddresses: ['10.95.0.1/32'] }],
  })

  it('carries a ping through the tunnel between two namespaces', () => {
    apply(hereConfig())
    apply(farConfig)
    run('ping', '-c', '2', '-W', '10', '10.95.0.2')
    expect(state().peers[0]).toMatchObject({ publicKey: far.open, receivedBytes: expect.any(Number), lastHandshake: expect.any(Number) })
    expect(state().peers[0]!.receivedBytes).toBeGreaterThan(100)
    expect(state(FAR).peers[0]!.endpoint).toBe('10.94.0.1:51820')
  })

  it('sets what wg shows, and reads it back without secrets', () => {
    apply(hereConfig())
    const dump = run('wg', 'show', 'wg0', 'dump')
      .split('\n')
      .map((line) => line.split('\t'))
    expect(dump[0]).toEqual([here.secret, here.open, '51820', '0x42'])
    expect(dump[1]!.slice(0, 4)).toEqual([far.open, presharedKey, '10.94.0.2:51821', '10.95.0.2/32,fd95::/64'])
    expect(dump[1]!.at(-1)).toBe('25')
    expect(state()).toMatchObject({
      publicKey: here.open,
      listenPort: 51820,
      firewallMark: 0x42,
      peers: [{ publicKey: far.open, endpoint: '10.94.0.2:51821', keepalive: 25, allowedAddresses: ['10.95.0.2/32', 'fd95::/64'] }],
    })
    for (const secret of [here.secret, presharedKey]) expect(JSON.stringify(state())).not.toContain(secret)
  })

  it('changes only what differs: the session with the other peer goes on', () => {
    apply(hereConfig())
    apply(farConfig)
    run('ping', '-c', '1', '-W', '10', '10.95.0.2')
    const handshake = state().peers[0]!.lastHandshake
    const other: WireguardPeer = { publicKey: keyPair().open, allowedAddresses: ['10.95.0.9/32'] }
    apply(hereConfig([other]), hereConfig())
    expect(
      state()
        .peers.map(({ publicKey }) => publicKey)
        .sort(),
    ).toEqual([far.open, other.publicKey].sort())
    apply(hereConfig([{ ...other, allowedAddresses: ['10.95.0.8/32'] }]), hereConfig([other]))
    expect(state().peers.find(({ publicKey }) => publicKey === other.publicKey)?.allowedAddresses).toEqual(['10.95.0.8/32'])
    apply(hereConfig(), hereConfig([{ ...other, allowedAddresses: ['10.95.0.8/32'] }]))
    expect(state().peers).toHaveLength(1)
    expect(state().peers[0]!.lastHandshake).toBe(handshake)
    run('ping', '-c', '1', '-W', '10', '10.95.0.2')
    expect(state().peers[0]!.lastHandshake).toBe(handshake)
    apply(link('host', { privateKey: here.secret, peers: [{ publicKey: far.open, allowedAddresses: ['10.95.0.2/32'] }] }), hereConfig())
    const [bare] = state().peers
    expect(bare).not.toHaveProperty('endpoint')
    expect(run('wg', 'show', 'wg0', 'preshared-keys')).toContain('(none)')
    expect(state()).toMatchObject({ firewallMark: 0 })
  })

  it('sets a configuration that takes many messages', () => {
    const peers = Array.from({ length: 150 }, (_, i): WireguardPeer => ({
      publicKey: keyPair().open,
      endpoint: `192.0.2.${i + 1}:51820`,
      allowedAddresses: Array.from({ length: i === 0 ? 3000 : 20 }, (_each, j) => `10.${100 + (j >> 8)}.${j & 255}.${i}/32`),
    }))
    apply(link('host', { privateKey: here.secret, peers }))
    const found = new Map(state().peers.map((peer) => [peer.publicKey, peer]))
    expect(found.size).toBe(150)
    for (const { publicKey, endpoint, allowedAddresses } of peers) {
      expect(found.get(publicKey)?.endpoint).toBe(endpoint)
      expect([...(found.get(publicKey)?.allowedAddresses ?? [])].sort()).toEqual([...allowedAddresses].sort())
    }
    expect(run('wg', 'show', 'wg0', 'peers').trim().split('\n')).toHaveLength(150)
  })

  it('replaces all peers when nothing is said of what was there', () => {
    apply(hereConfig())
    apply(link('host', { peers: [] }))
    expect(state()).toMatchObject({ publicKey: here.open, listenPort: 51820, peers: [] })
  })

  it('is configured by the handler of links, and its configuration put back when a transaction fails', () => {
    const handler = handlerOf('link') as unknown as ObjectHandler<'link'>
    const made = { ...hereConfig(), name: 'wg7' }
    expect(() => handler.create({ ...made, wireguard: { ...made.wireguard, privateKey: 'no key' } }, open.session, false)).toThrow(
      expect.objectContaining({ field: 'privateKey' }),
    )
    expect(run('ip', '-o', 'link')).not.toContain('wg7')
    handler.create(made, open.session, false)
    open.session.flush()
    expect(run('wg', 'show', 'wg7', 'dump').split('\n')[0]).toBe([here.secret, here.open, '51820', '0x42'].join('\t'))
    const before = handler.read!(made, open.session)
    expect(before).toMatchObject({ type: 'wireguard', wireguard: made.wireguard })
    const changed = { ...made, wireguard: { privateKey: far.secret, listenPort: 7, peers: [] } }
    handler.change(made, changed, open.session)
    open.session.flush()
    expect(run('wg', 'show', 'wg7', 'dump').trim()).toBe([far.secret, far.open, '7', 'off'].join('\t'))
    handler.change(changed, before!, open.session)
    open.session.flush()
    expect(run('wg', 'show', 'wg7', 'dump').split('\n')[0]).toBe([here.secret, here.open, '51820', '0x42'].join('\t'))
    expect(run('wg', 'show', 'wg7', 'preshared-keys')).toContain(presharedKey)
    for (const secret of [here.secret, presharedKey]) expect(JSON.stringify(handler.list!('host', open.session))).not.toContain(secret)
    run('ip', 'link', 'del', 'wg7')
  })

  it('refuses a link of another kind, and one that is not there', () => {
    expect(() => {
      applyWireguard({ ...hereConfig(), name: 'wgv0' }, open.session)
      open.session.flush()
    }).toThrow(expect.objectContaining({ errno: 95 }))
    expect(() => readWireguard(open.session.socket('host', NETLINK_GENERIC), 'nix0')).toThrow(
      expect.objectContaining({ code: 'ERR_CNM_LINK_NOT_FOUND' }),
    )
  })
})
