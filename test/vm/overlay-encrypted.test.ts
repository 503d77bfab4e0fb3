import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { probe } from '../../src/kernel/probe/index.js'
import { hostAddress, inRouter, TestCluster } from '../hosts/cluster.js'
import type { Host } from '../hosts/host.js'
import { needs, needsPrivileges, skipping } from '../tools.js'

const run = promisify(execFile)
const { available, reason } = probe(['xfrm-esp']).features['xfrm-esp']
const cannot =
  needsPrivileges() ?? needs('etcd', 'etcdctl', 'ip', 'nft', 'ping', 'tcpdump') ?? (available ? undefined : skipping(`no ESP: ${reason}`))

const until = { timeout: 120_000, interval: 500 }
const ENCRYPTED_PORT = 4788
const CLEAR_PORT = 4789

interface Joined {
  address: string
  mac: string
}

const join = (host: Host, network: string, sandbox: string): Promise<Joined> =>
  host.run(
    async ({ controller }, network: string, name: string) => {
      const sandbox = controller.sandboxes.find(name) ?? (await controller.createSandbox({ name }))
      const { addresses, mac } = await sandbox.connect(controller.networks.get(network))
      return { address: addresses[0]!.split('/')[0]!, mac }
    },
    network,
    sandbox,
  )

const inside = (host: Host, sandbox: string, ...command: string[]): Promise<string> =>
  host.run(
    async ({ controller }, sandbox: string, command: string[]) => {
      const { stdout, stderr } = await controller.sandboxes.get(sandbox).run(command[0]!, command.slice(1))
      return stdout + stderr
    },
    sandbox,
    command,
  )

const reaches = (host: Host, sandbox: string, address: string): Promise<void> =>
  vi.waitFor(async () => expect(await inside(host, sandbox, 'ping', '-c1', '-W5', address)).toContain(' 1 received'), until)

const xfrm = (host: Host, table: 'state' | 'policy'): Promise<string> =>
  host.run(async ({ shell }, table: string) => shell('ip', 'xfrm', table), table)
const spis = async (host: Host): Promise<string[]> => ((await xfrm(host, 'state')).match(/spi 0x[0-9a-f]+/g) ?? []).sort()

/** What is seen on a link of the router between the hosts while something is done, line by line. */
async function captured(work: () => Promise<unknown>, family: 4 | 6 = 4): Promise<string[]> {
  const filter = `host ${hostAddress(1, family)} and host ${hostAddress(2, family)}`
  const capture = spawn('ip', ['netns', 'exec', 'router', 'tcpdump', '-lnni', 'r1', '--immediate-mode', filter])
  let seen = ''
  capture.stdout.on('data', (data) => (seen += String(data)))
  await once(capture.stderr, 'data')
  await work()
  await vi.waitFor(() => expect(seen).not.toBe(''), until)
  capture.kill()
  await once(capture, 'close')
  return seen.split('\n').filter((line) => line !== '')
}

/** A packet in VXLAN as a host would send it: UDP to port 9999, without a checksum. */
function vxlan(vni: number, from: Joined, to: Joined): Buffer {
  const mac = (text: string): Buffer => Buffer.from(text.replaceAll(':', ''), 'hex')
  const ip = (text: string): number[] => text.split('.').map(Number)
  const text = Buffer.from('forged')
  const udp = Buffer.alloc(8)
  udp.writeUInt16BE(9999, 0)
  udp.writeUInt16BE(9999, 2)
  udp.writeUInt16BE(8 + text.length, 4)
  const header = Buffer.from([0x45, 0, 0, 28 + text.length, 0, 1, 0, 0, 64, 17, 0, 0, ...ip(from.address), ...ip(to.address)])
  let sum = 0
  for (let at = 0; at < header.length; at += 2) sum += header.readUInt16BE(at)
  header.writeUInt16BE(0xffff - ((sum & 0xffff) + (sum >> 16)), 10)
  const outer = Buffer.alloc(8)
  outer[0] = 8
  outer.writeUIntBE(vni, 4, 3)
  return Buffer.concat([outer, mac(to.mac), mac(from.mac), Buffer.from([8, 0]), header, udp, text])
}

/** Sends it from the router to a host. */
async function inject(packet: Buffer, port: number): Promise<void> {
  const program = `const s = require('node:dgram').createSocket('udp4')
    s.send(Buffer.from('${packet.toString('hex')}', 'hex'), ${port}, '${hostAddress(2)}', () => s.close())`
  await run('ip', ['netns', 'exec', 'router', process.execPath, '-e', program])
}

describe.skipIf(cannot)('overlay, encrypted', { timeout: 600_000 }, () => {
  let cluster: TestCluster
  let a: Host, b: Host
  let one: Joined, two: Joined
  let vnis: { secret: number; clear: number }
  beforeAll(async () => {
    cluster = await TestCluster.make({ lease: 120 })
    ;[a, b] = cluster.hosts as [Host, Host]
    await a.run(async ({ controller }) => {
      await controller.createNetwork({ name: 'secret', driver: 'overlay', internal: true, options: { encrypted: '' } })
      await controller.createNetwork({ name: 'clear', driver: 'overlay', internal: true })
    })
    await vi.waitFor(() => b.run(({ controller }) => void (controller.networks.get('secret') && controller.networks.get('clear'))), until)
    one = await join(a, 'secret', 'one')
    two = await join(b, 'secret', 'two')
    await join(a, 'clear', 'one')
    await join(b, 'clear', 'two')
    const records = await cluster.etcdctl('get', '--prefix', '--print-value-only', '/libcnm/network/')
    const vni = (name: string): number => Number(new RegExp(`"name":"${name}".*?"vni":\\[(\\d+)\\]`).exec(records)![1])
    vnis = { secret: vni('secret'), clear: vni('clear') }
  }, 600_000)
  afterAll(() => cluster?.[Symbol.asyncDispose]())

  const clearAddress = async (host: Host, sandbox: string): Promise<Joined> =>
    host.run(({ controller }, sandbox: string) => {
      const { addresses, mac } = controller.sandboxes.get(sandbox).endpoints.find(({ network }) => network.name === 'clear')!
      return { address: addresses[0]!.split('/')[0]!, mac }
    }, sandbox)

  it('what goes between hosts is ESP, up to the largest packet; another network beside goes on in clear', async () => {
    await reaches(a, 'one', two.address)
    const seen = await captured(async () => {
      expect(await inside(a, 'one', 'ping', '-c2', '-i0.3', '-W5', '-M', 'do', '-s', '1388', two.address)).toContain(' 2 received')
      expect(await inside(a, 'one', 'ping', '-c1', '-W1', '-M', 'do', '-s', '1389', two.address)).toContain('mtu=1416')
    })
    expect(seen.length).toBeGreaterThanOrEqual(4)
    for (const line of seen) expect(line).toMatch(/ESP\(spi=0x[0-9a-f]{8},seq=0x[0-9a-f]+\), length 1480$/)
    const clear = await clearAddress(b, 'two')
    await reaches(a, 'one', clear.address)
    const open = await captured(() => inside(a, 'one', 'ping', '-c1', '-W5', clear.address))
    expect(open.join('\n')).toMatch(new RegExp(`VXLAN.* vni ${vnis.clear}`))
    for (const host of [a, b]) expect(await host.run(({ controller }) => controller.check())).toEqual([])
  })

  it('no key is in the records of a host, in what it tells, or on its disk', async () => {
    const keys = ((await xfrm(a, 'state')).match(/0x[0-9a-f]{72}/g) ?? []).map((key) => key.slice(2))
    expect(keys.length).toBeGreaterThanOrEqual(2)
    const found = await a.run(async ({ controller, shell }) => {
      const told = JSON.stringify([controller.networks.get('secret').inspect(), await controller.status()])
      return told + (await shell('sh', '-c', 'strings -n 64 /var/lib/libcnm/cnm/store/* || cat /var/lib/libcnm/cnm/store/*'))
    })
    expect(found).toContain('sha256:')
    for (const key of keys) expect(found).not.toContain(key)
  })

  it('keys change under load, twice, and nothing is lost', async () => {
    const before = [await spis(a), await spis(b)]
    expect(before.map((list) => list.length)).toEqual([2, 2])
    const pings = Promise.all([
      inside(a, 'one', 'ping', '-q', '-i0.02', '-c1000', '-W10', two.address),
      inside(b, 'two', 'ping', '-q', '-i0.02', '-c1000', '-W10', one.address),
    ])
    let last = before
    for (const host of [a, b]) {
      await host.run(({ controller }) => controller.rotateKeys())
      await vi.waitFor(async () => {
        const now = [await spis(a), await spis(b)]
        expect(now.map((list) => list.length)).toEqual([2, 2])
        expect(now[0]).toEqual(now[1])
        for (const spi of now[0]!) expect(last[0]).not.toContain(spi)
        last = now
      }, until)
    }
    for (const output of await pings) expect(output).toContain('1000 packets transmitted, 1000 received, 0% packet loss')
  })

  it('a forged packet in clear does not arrive, whoever it claims to be from', async () => {
    const clear = { from: await clearAddress(a, 'one'), to: await clearAddress(b, 'two') }
    const netns = await b.run(({ controller }) => controller.sandboxes.get('two').netns)
    const capture = spawn('nsenter', [...b.inside, 'nsenter', `--net=${netns}`, 'tcpdump', '-lnni', 'any', 'udp port 9999'])
    let seen = ''
    capture.stdout.on('data', (data) => (seen += String(data)))
    await once(capture.stderr, 'data')
    const arrivals = (): string[] => seen.match(/> (\S+)\.9999: UDP/g) ?? []
    const genuine = async (expected: number): Promise<void> => {
      await inject(vxlan(vnis.clear, clear.from, clear.to), CLEAR_PORT)
      await vi.waitFor(() => expect(arrivals()).toHaveLength(expected), until)
    }
    const forge = async (): Promise<void> => {
      for (const port of [ENCRYPTED_PORT, CLEAR_PORT]) await inject(vxlan(vnis.secret, one, two), port)
    }
    await forge()
    await genuine(1)
    const source = `add table ip forge; add chain ip forge post { type nat hook postrouting priority 100; }
      add rule ip forge post oifname r2 udp dport { ${ENCRYPTED_PORT}, ${CLEAR_PORT} } snat to ${hostAddress(1)}`
    await run('ip', ['netns', 'exec', 'router', 'nft', source])
    await forge()
    await genuine(2)
    // Where somebody has taken the rules of nftables away, IPsec policies still say the same.
    await b.run(({ shell }) => shell('nft', 'delete', 'chain', 'inet', 'cnm', 'encrypted-input'))
    await forge()
    await genuine(3)
    await run('ip', ['netns', 'exec', 'router', 'nft', 'delete table ip forge'])
    capture.kill()
    await once(capture, 'close')
    for (const line of arrivals()) expect(line).toContain(clear.to.address)
  })

  it('states that somebody removes are not made again: others take their place', async () => {
    const before = await spis(a)
    await a.run(({ shell }) => shell('ip', 'xfrm', 'state', 'flush'))
    await reaches(a, 'one', two.address)
    for (const spi of await spis(a)) expect(before).not.toContain(spi)
    await vi.waitFor(async () => expect(await a.run(({ controller }) => controller.check())).toEqual([]), until)
  })

  it('a controller that is killed and opened again goes on with the same keys', async () => {
    const before = await vi.waitFor(async () => {
      const list = await spis(a)
      expect(list).toHaveLength(2)
      return list
    }, until)
    await a.kill()
    expect(await inside(b, 'two', 'ping', '-c1', '-W5', one.address)).toContain(' 1 received')
    await cluster.start(a)
    await reaches(a, 'one', two.address)
    expect(await spis(a)).toEqual(before)
    expect(await a.run(({ controller }) => controller.check())).toEqual([])
  })

  it('all of it goes with the last endpoint', async () => {
    await a.run(({ controller }) => controller.sandboxes.get('one').delete())
    // Who is left alone shares no keys; nothing passes in clear all the same.
    await vi.waitFor(async () => expect(await xfrm(b, 'state')).toBe(''), until)
    expect(await xfrm(b, 'policy')).toMatch(/action block/)
    await b.run(({ controller }) => controller.sandboxes.get('two').delete())
    for (const host of [a, b]) {
      expect(await xfrm(host, 'state')).toBe('')
      expect(await xfrm(host, 'policy')).toBe('')
      expect(await host.run(async ({ shell }) => shell('nft', 'list', 'ruleset'))).toBe('')
    }
    await vi.waitFor(async () => expect(await cluster.etcdctl('get', '--prefix', '--keys-only', '/libcnm/encryption/')).toBe(''), until)
    await inRouter('link', 'show')
  })
})

describe.skipIf(cannot)('overlay, encrypted, over IPv6', { timeout: 600_000 }, () => {
  it('is ESP too, with room for its headers', async () => {
    await using cluster = await TestCluster.make({ lease: 120, family: 6 })
    const [a, b] = cluster.hosts as [Host, Host]
    await a.run(async ({ controller }) => {
      await controller.createNetwork({ name: 'secret', driver: 'overlay', internal: true, options: { encryption: 'ipsec' } })
    })
    await vi.waitFor(() => b.run(({ controller }) => void controller.networks.get('secret')), until)
    await join(a, 'secret', 'one')
    const two = await join(b, 'secret', 'two')
    await reaches(a, 'one', two.address)
    const largest = 1396 - 28
    const seen = await captured(async () => {
      expect(await inside(a, 'one', 'ping', '-c2', '-W5', '-M', 'do', '-s', String(largest), two.address)).toContain(' 2 received')
    }, 6)
    for (const line of seen) expect(line).toMatch(/ESP\(spi=0x[0-9a-f]{8},seq=0x[0-9a-f]+\), length 1460$/)
    for (const host of [a, b]) {
      await host.run(async ({ controller }) => {
        for (const sandbox of controller.sandboxes.list()) await sandbox.delete()
      })
      expect(await xfrm(host, 'state')).toBe('')
      expect(await xfrm(host, 'policy')).toBe('')
    }
  })
})
