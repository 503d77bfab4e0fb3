import { readFile, readlink, mkdtemp, rm, stat, symlink, writeFile, chmod, readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  basicHosts,
  checkDnsName,
  checkServer,
  checkServiceName,
  chooseForwarding,
  parseResolvConf,
  renderResolvConf,
  replaceFile,
  updateHosts,
  updateMountedFile,
} from '../../drivers/dns/index.js'
import { checkTuning, checkView } from '../../drivers/dns/checks.js'
import { toWireName } from '../../drivers/dns/wire/names.js'

const codeOf = (body: () => unknown): unknown => {
  try {
    body()
    return undefined
  } catch (error) {
    return (error as { code: unknown }).code
  }
}
const INVALID = 'ERR_CNM_INVALID_ARGUMENT'

describe('names are checked before they get in', () => {
  it.each(['web', 'web-1', 'my_db', 'a.b.c', '_x', '0123456789ab', 'Web-', 'x'.repeat(63), Array(3).fill('a'.repeat(63)).join('.')])(
    '%s is one',
    (name) => {
      expect(checkDnsName(name, 'name')).toBe(name)
      expect(toWireName(name)).toBeDefined()
    },
  )
  it.each([
    '',
    '.',
    'a.',
    '.a',
    'a..b',
    '-web',
    'a b',
    'a,b',
    'a\nb',
    'a\0b',
    'bücher',
    'x'.repeat(64),
    'a'.repeat(254),
    '10.0.0.1',
    Array(5).fill('a'.repeat(60)).join('.'),
  ])('%j is none', (name) => expect(codeOf(() => checkDnsName(name, 'aliases[0]'))).toBe(INVALID))
  it('names the field', () => {
    expect(() => checkDnsName('a b', 'aliases[0]')).toThrowError(
      expect.objectContaining({ field: 'aliases[0]', message: expect.stringContaining('"a b"') as string }),
    )
  })
  it('every accepted name has a wire form', () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 300 }),
        (name) => codeOf(() => checkDnsName(name, 'x')) === INVALID || toWireName(name) !== undefined,
      ),
    )
  })
  it.each([
    ['http', true],
    ['a', true],
    ['http-alt', true],
    ['x1', true],
    ['123', false],
    ['-a', false],
    ['a--b', false],
    ['a_b', false],
    ['abcdefghijklmnop', false],
  ])('service %s: %s', (name, fine) => expect(codeOf(() => checkServiceName(name, 'ports[0].name'))).toBe(fine ? undefined : INVALID))
})

describe('servers', () => {
  it.each([
    [{ address: '9.9.9.9' }, undefined],
    [{ address: '2620:fe::fe', port: 5353 }, undefined],
    [{ address: 'fe80::1%eth0' }, undefined],
    [{ address: 'fe80::1' }, INVALID],
    [{ address: '9.9.9.9%eth0' }, INVALID],
    [{ address: 'dns.test' }, INVALID],
    [{ address: '9.9.9.9', port: 0 }, INVALID],
    [{ address: '127.0.0.11' }, INVALID],
    [{ address: '127.0.0.11', port: 5353 }, undefined],
    [{ address: '127.0.0.1' }, undefined],
    [{ address: 'fd63:6e6d:646e::53' }, INVALID],
  ])('%j: %s', (server, code) => expect(codeOf(() => checkServer(server, 'servers[0]', 'sandbox'))).toBe(code))

  it('of the host may be at 127.0.0.11: that is somebody else there', () => {
    expect(codeOf(() => checkServer({ address: '127.0.0.11' }, 'servers[0]', 'host'))).toBeUndefined()
  })

  it('need a namespace to be asked from', () => {
    const forwarding = { to: 'servers' as const, from: 'sandbox' as const, servers: [{ address: '9.9.9.9' }] }
    expect(codeOf(() => checkView({ networks: [], forwarding }, undefined))).toBe(INVALID)
    expect(codeOf(() => checkView({ networks: [], forwarding }, '/run/netns/x'))).toBeUndefined()
    expect(codeOf(() => checkView({ networks: [], hosts: { 'a b': [] }, forwarding: { to: 'none' } }, undefined))).toBe(INVALID)
    expect(codeOf(() => checkView({ networks: [], hosts: { a: ['x'] }, forwarding: { to: 'none' } }, undefined))).toBe(INVALID)
  })

  it("are chosen: own, then those of networks, then the host's unless there is no way out", () => {
    const one = { address: '192.0.2.1' }
    const two = { address: '192.0.2.2' }
    expect(chooseForwarding({ own: [one], networks: [[two]], internal: true })).toEqual({ to: 'servers', servers: [one], from: 'sandbox' })
    expect(chooseForwarding({ own: [], networks: [[], [two, one], [one]], internal: false })).toEqual({
      to: 'servers',
      servers: [two, one],
      from: 'sandbox',
    })
    expect(chooseForwarding({ own: [], networks: [[]], internal: false })).toEqual({ to: 'host' })
    expect(chooseForwarding({ own: [], networks: [], internal: true })).toEqual({ to: 'none' })
  })

  it('tuning is honoured or refused', () => {
    expect(codeOf(() => checkTuning({ hedge: 50, randomCase: true, cacheSeconds: 0 }))).toBeUndefined()
    expect(codeOf(() => checkTuning({ hedge: -1 }))).toBe(INVALID)
    expect(codeOf(() => checkTuning({ hedge: 1.5 }))).toBe(INVALID)
    expect(codeOf(() => checkTuning({ hedge: '50' as unknown as number }))).toBe(INVALID)
    expect(codeOf(() => checkTuning({ hegde: 50 } as object))).toBe('ERR_CNM_UNKNOWN_OPTION')
  })
})

describe('resolv.conf', () => {
  it('is read as glibc reads it', () => {
    const text = [
      '# nameserver 192.0.2.9',
      '; nameserver 192.0.2.9',
      'nameserver 192.0.2.1 # one',
      '  nameserver\tfe80::1%eth0',
      'nameserver bad',
      'nameserver 192.0.2.3%eth0',
      'domain first.test',
      'search a.test b.test',
      'options ndots:2 timeout:1',
      'options ndots:3 rotate',
      'sortlist 192.0.2.0',
      'lookup file bind',
    ].join('\n')
    expect(parseResolvConf(text)).toEqual({
      nameservers: ['192.0.2.1', 'fe80::1%eth0'],
      search: ['a.test', 'b.test'],
      options: ['timeout:1', 'ndots:3', 'rotate'],
    })
    expect(parseResolvConf('search a.test\ndomain b.test').search).toEqual(['b.test'])
    expect(parseResolvConf('')).toEqual({ nameservers: [], search: [], options: [] })
  })

  it('never fails, and what it reads it writes so that it reads the same', () => {
    const word = fc.stringMatching(/^[a-z0-9:.%#;-]{0,12}$/)
    const line = fc
      .tuple(fc.constantFrom('nameserver', 'search', 'options', 'domain', '#', ''), fc.array(word))
      .map(([key, words]) => [key, ...words].join(' '))
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const host = parseResolvConf(lines.join('\n'))
        const { text } = renderResolvConf({ resolver: ['127.0.0.11'], own: { search: [], options: [] }, host })
        const again = parseResolvConf(text)
        expect(again.nameservers).toEqual(['127.0.0.11'])
        expect(again.search).toEqual(host.search.filter((domain) => domain !== '.'))
      }),
    )
  })

  const host = parseResolvConf('nameserver 192.0.2.1\nsearch host.test\noptions timeout:3 ndots:2\n')
  const render = (search: string[], options: string[], from = host) =>
    renderResolvConf({ resolver: ['127.0.0.11'], own: { search, options }, host: from, forwardedTo: ['host(192.0.2.1)'] })

  it("of a sandbox has the resolver, and the host's habits unless it has its own", () => {
    expect(render([], [])).toEqual({
      ndotsSet: true,
      text: '# Written by libcnm: names of networks and endpoints are answered here, others are forwarded.\nnameserver 127.0.0.11\nsearch host.test\noptions timeout:3 ndots:2\n# Forwarded to: host(192.0.2.1)\n',
    })
    expect(render(['corp.test'], ['rotate']).text).toContain('nameserver 127.0.0.11\nsearch corp.test\noptions rotate ndots:0\n')
  })

  it.each([
    [[], 'ndots:0', false],
    [['ndots:1'], 'ndots:1', true],
    [['ndots:0'], 'ndots:0', true],
    [['ndots:-1'], 'ndots:0', false],
    [['ndots:foobar'], 'ndots:0', false],
    [['ndots:1', 'ndots:4'], 'ndots:4', true],
  ])('options %j give %s (set by somebody: %s)', (options, written, set) => {
    const { text, ndotsSet } = render([], options, parseResolvConf(''))
    expect([text.match(/^options (.*)$/m)![1], ndotsSet]).toEqual([written, set])
  })

  it('has no search list when told so', () => expect(render(['.'], []).text).not.toContain('search'))
})

describe('hosts file', () => {
  const entries = [
    { address: '10.1.0.5/24', names: ['web', 'www'] },
    { address: 'fd00::5', names: ['web'] },
  ]
  const users = '127.0.0.1 localhost\r\n# mine\n\n10.9.9.9\tmine # really\nno end of line'

  it('gets a block and keeps every other byte', () => {
    const once = updateHosts(users, entries)
    expect(once.startsWith(`${users}\n# begin libcnm`)).toBe(true)
    expect(once).toContain('\n10.1.0.5\tweb www\nfd00::5\tweb\n# end libcnm\n')
    expect(updateHosts(once, entries)).toBe(once)
    expect(updateHosts(once, [])).toBe(`${users}\n`)
    const edited = `${once}10.8.8.8 later\n`
    expect(updateHosts(edited, [entries[0]!])).toBe(edited.replace('fd00::5\tweb\n', ''))
  })

  it('with a block that somebody cut loses nothing of theirs', () => {
    const cut = 'a\n# begin libcnm\n10.1.0.5 web\n10.9.9.9 mine\n'
    expect(updateHosts(cut, [])).toBe('a\n10.1.0.5 web\n10.9.9.9 mine\n')
  })

  it('any text, any block: the lines of others stay', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.array(fc.record({ address: fc.ipV4(), names: fc.array(fc.constantFrom('a', 'b'), { minLength: 1 }) })),
        (text, list) => {
          fc.pre(!text.includes('libcnm'))
          const once = updateHosts(text, list)
          expect(once.startsWith(text)).toBe(true)
          expect(updateHosts(updateHosts(once, []), list)).toBe(once)
        },
      ),
    )
  })

  it('begins with localhost', () => {
    expect(basicHosts(false)).toBe('127.0.0.1\tlocalhost\n')
    expect(basicHosts(true)).toContain('::1\tlocalhost')
  })
})

describe('files', () => {
  it('in place keep their inode and are never empty; replaced ones keep owner and mode', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'dns-'))
    const hosts = join(folder, 'hosts')
    expect(await updateMountedFile(hosts, (text) => `${text}one\ntwo\nthree\n`)).toBe(true)
    const { ino } = await stat(hosts)
    expect(await updateMountedFile(hosts, (text) => text)).toBe(false)
    expect(await updateMountedFile(hosts, () => 'four\n')).toBe(true)
    expect([await readFile(hosts, 'utf8'), (await stat(hosts)).ino]).toEqual(['four\n', ino])
    await chmod(hosts, 0o600)
    await replaceFile(hosts, 'five\n')
    expect([await readFile(hosts, 'utf8'), (await stat(hosts)).mode & 0o777]).toEqual(['five\n', 0o600])
    expect((await stat(hosts)).ino).not.toBe(ino)
    await replaceFile(join(folder, 'new'), 'x')
    await symlink('new', join(folder, 'link'))
    expect(await readlink(join(folder, 'link'))).toBe('new')
    await writeFile(join(folder, 'new'), 'y')
    expect((await readdir(folder)).sort()).toEqual(['hosts', 'link', 'new'])
    await expect(replaceFile(join(folder, 'missing', 'file'), 'x')).rejects.toThrow('ENOENT')
    await rm(folder, { recursive: true })
  })
})
