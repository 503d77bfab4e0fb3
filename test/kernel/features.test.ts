import { execFileSync } from 'node:child_process'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { featuresHandler } from '../../src/kernel/features/index.js'
import { needs, needsPrivileges } from '../tools.js'
import { openSession, type OpenSession } from './session.js'

const run = (command: string, ...args: string[]): string => execFileSync(command, args, { encoding: 'utf8', stdio: 'pipe' })
const CHECKSUM = 'tx-checksum-ip-generic'

/** ethtool's own names for some features of the kernel. */
const KERNEL_NAMES: Record<string, string> = {
  'rx-checksumming': 'rx-checksum',
  'generic-segmentation-offload': 'tx-generic-segmentation',
  'generic-receive-offload': 'rx-gro',
  'large-receive-offload': 'rx-lro',
  'rx-vlan-offload': 'rx-vlan-hw-parse',
  'tx-vlan-offload': 'tx-vlan-hw-insert',
  'ntuple-filters': 'rx-ntuple-filter',
  'receive-hashing': 'rx-hashing',
}

/** `name: on [fixed]` lines of ethtool -k, which asks over the older ioctl or netlink; group headings left out. */
function ethtool(link: string): Record<string, { on: boolean; fixed: boolean }> {
  const lines = run('ethtool', '-k', link).split('\n').slice(1)
  const features = lines.map((line) => /^\s*([\w-]+): (on|off)( \[fixed\])?/.exec(line)).filter((match) => match !== null)
  return Object.fromEntries(
    features.map(([, name, state, fixed]) => [KERNEL_NAMES[name!] ?? name, { on: state === 'on', fixed: fixed !== undefined }]),
  )
}

describe.skipIf(needsPrivileges() ?? needs('ip', 'ethtool'))('device features', () => {
  let open: OpenSession
  beforeEach(() => {
    run('ip', 'link', 'add', 'vx0', 'type', 'vxlan', 'id', '7', 'dstport', '4789')
    open = openSession()
  })
  afterEach(() => {
    open[Symbol.dispose]()
    run('ip', 'link', 'del', 'vx0')
  })
  const object = (features: Record<string, boolean>) => ({ kind: 'features', at: 'host', link: 'vx0', features }) as const

  it('switches the checksum of a vxlan device off and on, and nothing else with it but what depends on it', () => {
    const { session } = open
    expect(ethtool('vx0')[CHECKSUM]).toEqual({ on: true, fixed: false })
    featuresHandler.create(object({ [CHECKSUM]: false }), session, false)
    expect(ethtool('vx0')[CHECKSUM]).toEqual({ on: false, fixed: false })
    expect(ethtool('vx0')['tx-tcp-segmentation']?.on).toBe(false)
    featuresHandler.change(object({ [CHECKSUM]: false }), object({ [CHECKSUM]: true }), session)
    expect(ethtool('vx0')[CHECKSUM]?.on).toBe(true)
    expect(ethtool('vx0')['tx-tcp-segmentation']?.on).toBe(true)
  })

  it('lists of each device the features that can be switched, as ethtool does', () => {
    const found = featuresHandler.list!('host', open.session).find(({ link }) => link === 'vx0')
    const groups = /^(tx-checksumming|scatter-gather|tcp-segmentation-offload)$/
    const expected = Object.entries(ethtool('vx0')).filter(([name, { fixed }]) => !fixed && !groups.test(name))
    expect(expected.length).toBeGreaterThan(5)
    expect(found?.features).toEqual(Object.fromEntries(expected.map(([name, { on }]) => [name, on])))
    expect(featuresHandler.list!('host', open.session).map(({ link }) => link)).toContain('lo')
  })

  it('reads what its features are now, for putting them back', () => {
    featuresHandler.create(object({ [CHECKSUM]: false }), open.session, false)
    const before = featuresHandler.read!(object({ [CHECKSUM]: true, 'rx-gro': true }), open.session)
    expect(before).toEqual(object({ [CHECKSUM]: false, 'rx-gro': ethtool('vx0')['rx-gro']!.on }))
  })

  it('refuses a fixed feature, and leaves the others as they were', () => {
    const fixed = Object.entries(ethtool('vx0')).find(([name, feature]) => feature.fixed && name.startsWith('tx-'))!
    const asked = object({ [CHECKSUM]: false, [fixed[0]]: !fixed[1].on })
    expect(() => featuresHandler.create(asked, open.session, false)).toThrow(
      expect.objectContaining({ code: 'ERR_CNM_NOT_SUPPORTED', object: 'link vx0' }),
    )
    expect(ethtool('vx0')[CHECKSUM]?.on).toBe(true)
  })

  it('refuses what another feature forbids, and leaves all as it was', () => {
    // Segmentation needs checksums, so the kernel would drop the one silently and call it success.
    const asked = object({ [CHECKSUM]: false, 'tx-tcp-segmentation': true })
    featuresHandler.create(object({ 'tx-tcp-segmentation': false }), open.session, false)
    expect(() => featuresHandler.create(asked, open.session, false)).toThrow(/tx-tcp-segmentation cannot be switched as the others are/)
    expect(ethtool('vx0')[CHECKSUM]?.on).toBe(true)
    expect(ethtool('vx0')['tx-tcp-segmentation']?.on).toBe(false)
  })

  it('refuses an unknown feature and an unknown link', () => {
    expect(() => featuresHandler.create(object({ 'tx-magic': true }), open.session, false)).toThrow(
      expect.objectContaining({ code: 'ERR_CNM_INVALID_ARGUMENT', field: 'features' }),
    )
    expect(() => featuresHandler.create({ ...object({}), link: 'nix0' }, open.session, false)).toThrow(
      expect.objectContaining({ code: 'ERR_CNM_LINK_NOT_FOUND' }),
    )
  })
})
