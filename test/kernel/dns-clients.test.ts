import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseResolvConf, renderResolvConf } from 'libcnm/drivers/dns'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { needs, needsPrivileges } from '../tools.js'
import { a, makeWorld, soa, upstream, type Upstream, type World } from './dns-world.js'

describe.skipIf(needsPrivileges() ?? needs('ip', 'nsenter'))('real clients inside a sandbox', () => {
  let world: World
  let server: Upstream
  let at: string
  let folder: string

  beforeAll(async () => {
    server = await upstream((name) =>
      name === 'www.corp.test' ? { answers: [a(name, '198.51.100.1')] } : { rcode: 3, authorities: [soa('test', 60, 60)] },
    )
    world = await makeWorld()
    world.resolver.putNetwork({
      id: 'n',
      name: 'front',
      endpoints: [
        {
          id: 'e1',
          names: ['web', 'alias'],
          addresses: ['10.1.0.5/24', 'fd00::5/64'],
          ports: [{ name: 'http', protocol: 'tcp', port: 80 }],
        },
        { id: 'e2', names: ['four'], addresses: ['10.1.0.6/24'] },
        ...[...Array(200).keys()].map((i) => ({ id: `m${i}`, names: ['many'], addresses: [`10.1.1.${i}/24`] })),
      ],
    })
    const servers = [{ address: server.address, port: server.port }]
    ;({ at } = await world.sandbox('clients', { networks: ['n'], forwarding: { to: 'servers', from: 'host', servers } }))
    // glibc does not ask for addresses of a family that the machine has none of.
    await world.inside(at, 'ip', ['addr', 'add', '10.1.0.99/32', 'dev', 'lo'])
    await world.inside(at, 'ip', ['addr', 'add', 'fd00::99/128', 'dev', 'lo'])
    folder = await mkdtemp(join(tmpdir(), 'dns-'))
    const own = { search: ['corp.test'], options: ['timeout:2'] }
    const { text } = renderResolvConf({ resolver: ['127.0.0.11'], own, host: parseResolvConf('') })
    await writeFile(join(folder, 'resolv.conf'), text)
    await writeFile(join(folder, 'nsswitch.conf'), 'hosts: files dns\n')
  })
  afterAll(async () => {
    await world.close()
    await server.close()
    await rm(folder, { recursive: true })
    expect(world.faults).toEqual([])
  })

  /** With the sandbox's resolv.conf in place of the machine's. */
  const withFiles = (program: string, ...args: string[]): Promise<string> => {
    const mounts = ['resolv.conf', 'nsswitch.conf'].map((file) => `mount --bind ${folder}/${file} /etc/${file}`).join(' && ')
    return world.inside(at, 'unshare', ['-m', '--propagation', 'private', 'sh', '-c', `${mounts} && exec "$@"`, 'sh', program, ...args])
  }
  const dig = (...args: string[]): Promise<string> => world.inside(at, 'dig', ['@127.0.0.11', '+tries=1', '+time=3', ...args])

  it.skipIf(needs('dig'))('dig: UDP, TCP, EDNS, reverse', async () => {
    expect(await dig('+short', 'web')).toBe('10.1.0.5\n')
    expect(await dig('+short', '+tcp', 'web', 'AAAA')).toBe('fd00::5\n')
    expect(await dig('+short', '-x', '10.1.0.5')).toBe('web.front.\nalias.front.\n')
    expect(await dig('+short', '_http._tcp.web', 'SRV')).toBe('0 0 80 web.front.\n')
    const whole = await dig('WEB')
    expect(whole).toContain('status: NOERROR')
    expect(whole).toContain('flags: qr aa rd ra;')
    expect(whole).toContain(';WEB.\t')
    expect(whole).not.toContain('WARNING')
    expect(await dig('web', 'ANY', '+notcp')).toContain('HINFO\t"RFC8482" ""')
    expect(await dig('nowhere.test')).toContain('status: NXDOMAIN')
    expect(await dig('four', 'AAAA')).toMatch(/status: NOERROR[^]*ANSWER: 0/)
  })

  it.skipIf(needs('dig'))('dig: what does not fit is cut, and whole over TCP', async () => {
    expect(await dig('+noedns', '+ignore', 'many')).toContain('flags: qr aa tc rd ra;')
    expect((await dig('+noedns', '+ignore', '+short', 'many')).trim().split('\n').length).toBeGreaterThan(25)
    expect(
      (await dig('+noedns', '+short', 'many'))
        .trim()
        .split('\n')
        .filter((line) => line.startsWith('10.1.1.')),
    ).toHaveLength(200)
    expect((await dig('+bufsize=4096', '+ignore', '+short', 'many')).trim().split('\n')).toHaveLength(200)
  })

  it.skipIf(needs('kdig'))('kdig: several questions on one connection', async () => {
    const output = await world.inside(at, 'kdig', ['@127.0.0.11', '+tcp', '+keepopen', '+short', 'web', 'four', 'www.corp.test', 'web'])
    expect(output.match(/^[\d.]+$/gm)).toEqual(['10.1.0.5', '10.1.0.6', '198.51.100.1', '10.1.0.5'])
  })

  it.skipIf(needs('kdig'))('kdig: cookies, padding and an unknown option', async () => {
    const output = await world.inside(at, 'kdig', ['@127.0.0.11', '+cookie', '+padding=128', '+ednsopt=65001:0102', 'web'])
    expect(output).toContain('status: NOERROR')
    expect(output).toContain('10.1.0.5')
  })

  it.skipIf(needs('getent'))('getent: as programs with glibc see it', async () => {
    expect(await withFiles('getent', 'ahosts', 'web')).toMatch(/^fd00::5 +STREAM web[^]*^10\.1\.0\.5 +STREAM/m)
    expect(await withFiles('getent', 'hosts', 'alias')).toMatch(/fd00::5\s+alias/)
    expect(await withFiles('getent', 'ahostsv4', 'four')).toContain('10.1.0.6')
    expect(await withFiles('getent', 'hosts', '10.1.0.5')).toMatch(/10\.1\.0\.5\s+web\.front/)
    // By the search list.
    expect(await withFiles('getent', 'ahostsv4', 'www')).toContain('198.51.100.1')
    expect((await withFiles('getent', 'ahostsv4', 'many')).match(/STREAM/g)).toHaveLength(200)
    expect(await withFiles('getent', 'hosts', 'nowhere')).toBe('')
  })

  it.skipIf(needs('busybox'))('busybox nslookup: asks for both families at once', async () => {
    // With a search list it asks for nothing but the names that this makes.
    await writeFile(join(folder, 'resolv.conf'), 'nameserver 127.0.0.11\n')
    const output = await withFiles('busybox', 'nslookup', 'four')
    expect(output).toContain('10.1.0.6')
    expect(output).not.toMatch(/NXDOMAIN|can't find/)
    expect(await withFiles('busybox', 'nslookup', 'web')).toMatch(/10\.1\.0\.5[^]*fd00::5|fd00::5[^]*10\.1\.0\.5/)
    expect(await withFiles('busybox', 'nslookup', 'nowhere.test')).toContain('NXDOMAIN')
  })
})
