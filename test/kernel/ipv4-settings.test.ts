import { expect, it } from 'vitest'
import { ipv4SettingOf } from '../../src/kernel/rtnetlink/index.js'
import { sysctlHandler } from '../../src/kernel/sysctl.js'
import { needs, needsPrivileges } from '../tools.js'
import { World } from './rtnetlink-world.js'

it.skipIf(needsPrivileges() ?? needs('ip'))(
  'IPv4 parameters of a link go with its messages, and each is the one that its file shows',
  () => {
    using world = new World()
    const at = world.place('a')
    world.create({ kind: 'link', at, type: 'veth', name: 'v.0', peer: { at, name: 'v1' } })
    const shown = (): Map<string, string> =>
      new Map(
        world
          .run(at, 'sh', '-c', 'cd /proc/sys/net/ipv4/conf/v.0 && grep . *')
          .trim()
          .split('\n')
          .map((line) => line.split(':') as [string, string]),
      )
    const carried = [...shown().keys()].filter((name) => ipv4SettingOf(`net/ipv4/conf/v.0/${name}`, '1') !== undefined)
    expect(carried).toHaveLength(13)
    for (const name of carried) {
      const before = shown()
      const value = before.get(name) === '1' ? '0' : '1'
      sysctlHandler.create({ kind: 'sysctl', at, path: `net/ipv4/conf/v.0/${name}`, value }, world.session, false)
      world.session.flush()
      const changed = [...shown()].filter(([each, now]) => now !== before.get(each))
      expect(changed).toEqual([[name, value]])
    }
  },
)

it('parameters whose files do more than keep a number, of all links, or with other words, are files', () => {
  for (const name of ['forwarding', 'route_localnet', 'accept_local', 'proxy_arp', 'bc_forwarding', 'disable_policy'])
    expect(ipv4SettingOf(`net/ipv4/conf/eth0/${name}`, '1'), name).toBeUndefined()
  for (const link of ['all', 'default']) expect(ipv4SettingOf(`net/ipv4/conf/${link}/rp_filter`, '1')).toBeUndefined()
  for (const value of ['-1', '', '1 2', 'x', '99999999999']) expect(ipv4SettingOf('net/ipv4/conf/eth0/rp_filter', value)).toBeUndefined()
  expect(ipv4SettingOf('net/ipv6/conf/eth0/accept_redirects', '1')).toBeUndefined()
})
