import { execFileSync } from 'node:child_process'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { XfrmPolicyObject, XfrmStateObject } from '../../src/contracts/kernel-objects.js'
import { probe } from '../../src/kernel/probe/index.js'
import { xfrmPolicyHandler, xfrmStateHandler } from '../../src/kernel/xfrm/index.js'
import { needs, needsPrivileges, skipping } from '../tools.js'
import { openSession, type OpenSession } from './session.js'

const run = (...args: string[]): string => execFileSync('ip', args, { encoding: 'utf8', stdio: 'pipe' })
const { xfrm, 'xfrm-esp': esp } = probe(['xfrm', 'xfrm-esp']).features
const cannot = needsPrivileges() ?? needs('ip') ?? (xfrm.available ? undefined : skipping(`no IPsec policies: ${xfrm.reason}`))

let open: OpenSession
beforeEach(() => {
  if (cannot === undefined) open = openSession()
})
afterEach(() => open?.[Symbol.dispose]())

const policy = (more: Partial<XfrmPolicyObject> = {}): XfrmPolicyObject => ({
  kind: 'xfrm-policy',
  at: 'host',
  direction: 'out',
  source: '192.0.2.1/32',
  destination: '192.0.2.2/32',
  protocol: 17,
  destinationPort: 4789,
  priority: 100,
  action: 'allow',
  mark: { value: 0x10, mask: 0xff },
  templates: [{ source: '192.0.2.1', destination: '192.0.2.2', spi: 0x1000, mode: 'transport', requestId: 3, level: 'required' }],
  ...more,
})

/** The arguments of ip(8) that make the same. */
function ipArguments({
  direction,
  source,
  destination,
  protocol,
  sourcePort,
  destinationPort,
  priority,
  action,
  mark,
  templates,
}: XfrmPolicyObject): string[] {
  const option = (name: string, value: unknown): string[] => (value === undefined ? [] : [name, String(value)])
  return [
    ...[
      'src',
      source,
      'dst',
      destination,
      ...option('proto', protocol),
      ...option('sport', sourcePort),
      ...option('dport', destinationPort),
    ],
    ...[
      'dir',
      direction,
      ...option('mark', mark?.value),
      ...option('mask', mark?.mask),
      ...option('action', action),
      ...option('priority', priority),
    ],
    ...templates.flatMap((each) => [
      ...[
        'tmpl',
        'src',
        each.source,
        'dst',
        each.destination,
        'proto',
        'esp',
        ...option('spi', each.spi),
        ...option('reqid', each.requestId),
      ],
      ...['mode', each.mode!, 'level', each.level!],
    ]),
  ]
}

const several: [string, XfrmPolicyObject][] = [
  ['with a port and a mark', policy()],
  [
    'that blocks',
    policy({ direction: 'in', action: 'block', templates: [], mark: undefined, protocol: undefined, destinationPort: undefined }),
  ],
  [
    'for forwarding through a tunnel',
    policy({
      direction: 'fwd',
      source: '10.1.0.0/16',
      destination: '10.2.0.0/16',
      templates: [{ source: '192.0.2.9', destination: '192.0.2.8', mode: 'tunnel', level: 'use' }],
    }),
  ],
  [
    'for IPv6',
    policy({
      source: 'fd00::/64',
      destination: 'fd01::/64',
      sourcePort: 53,
      templates: [{ source: 'fd00::1', destination: 'fd01::1', mode: 'transport', level: 'required' }],
    }),
  ],
  [
    'with two templates',
    policy({
      templates: [
        ...policy().templates,
        { source: '192.0.2.1', destination: '192.0.2.3', mode: 'tunnel', requestId: 4, level: 'required' },
      ],
    }),
  ],
]

describe.skipIf(cannot)('IPsec policies', () => {
  it.each(several)('%s: the kernel has what ip xfrm policy makes', (_name, object) => {
    run('xfrm', 'policy', 'add', ...ipArguments(object))
    const theirs = run('xfrm', 'policy', 'list')
    const parsed = xfrmPolicyHandler.list!('host', open.session)
    run('xfrm', 'policy', 'flush')
    xfrmPolicyHandler.create(object, open.session, false)
    open.session.flush()
    expect(run('xfrm', 'policy', 'list')).toBe(theirs)
    expect(JSON.parse(JSON.stringify(parsed))).toEqual([JSON.parse(JSON.stringify(object))])
    xfrmPolicyHandler.remove(object, open.session)
    open.session.flush()
    expect(run('xfrm', 'policy', 'list')).toBe('')
  })

  it('are changed in place, and replaced', () => {
    const { session } = open
    xfrmPolicyHandler.create(policy(), session, false)
    session.flush()
    xfrmPolicyHandler.change(policy(), policy({ priority: 200, action: 'block' }), session)
    session.flush()
    expect(xfrmPolicyHandler.list!('host', session)).toEqual([policy({ priority: 200, action: 'block' })])
    xfrmPolicyHandler.create(policy(), session, true)
    session.flush()
    expect(xfrmPolicyHandler.list!('host', session)).toEqual([policy()])
    xfrmPolicyHandler.change(policy(), policy({ destinationPort: 4790 }), session)
    session.flush()
    expect(xfrmPolicyHandler.list!('host', session)).toEqual([policy({ destinationPort: 4790 })])
    xfrmPolicyHandler.create(policy({ destinationPort: 4790 }), session, false)
    expect(() => session.flush()).toThrow(expect.objectContaining({ errno: 17 }))
    run('xfrm', 'policy', 'flush')
  })

  it('are removed without those that differ only by mark', () => {
    const other = policy({ mark: { value: 0x20, mask: 0xff } })
    for (const object of [policy(), other]) xfrmPolicyHandler.create(object, open.session, false)
    xfrmPolicyHandler.remove(policy(), open.session)
    open.session.flush()
    expect(xfrmPolicyHandler.list!('host', open.session)).toEqual([other])
    run('xfrm', 'policy', 'flush')
  })
})

const KEY = '00112233445566778899aabbccddeeff01020304'
const state = (more: Partial<XfrmStateObject> = {}): XfrmStateObject => ({
  kind: 'xfrm-state',
  at: 'host',
  source: '192.0.2.1',
  destination: '192.0.2.2',
  spi: 0x1000,
  mode: 'transport',
  requestId: 3,
  aead: { name: 'rfc4106(gcm(aes))', key: KEY, icvBits: 128 },
  replayWindow: 32,
  ...more,
})

describe.skipIf(cannot)('IPsec states', () => {
  it.skipIf(esp.available && skipping('this kernel has ESP, see test/vm/xfrm.test.ts'))(
    'are refused by this kernel in its own words, which do not hold the key',
    () => {
      xfrmStateHandler.create(state(), open.session, false)
      let thrown: unknown
      try {
        open.session.flush()
      } catch (error) {
        thrown = error
      }
      expect(thrown).toMatchObject({ kernelText: expect.stringMatching(/not found|not supported/) })
      expect(JSON.stringify(thrown) + String(thrown)).not.toContain(KEY)
    },
  )

  it('that are not there cannot be removed', () => {
    xfrmStateHandler.remove(state(), open.session)
    expect(() => open.session.flush()).toThrow(expect.objectContaining({ errno: 3 }))
    expect(xfrmStateHandler.read!(state(), open.session)).toBeUndefined()
    expect(xfrmStateHandler.list!('host', open.session)).toEqual([])
  })
})
