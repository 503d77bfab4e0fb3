import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { XfrmPolicyObject, XfrmStateObject } from '../../src/contracts/kernel-objects.js'
import { probe } from '../../src/kernel/probe/index.js'
import { redactedKey, xfrmPolicyHandler, xfrmStateHandler } from '../../src/kernel/xfrm/index.js'
import { openSession, type OpenSession } from '../kernel/session.js'
import { needs, needsPrivileges, skipping } from '../tools.js'

const run = (command: string, ...args: string[]): string => execFileSync(command, args, { encoding: 'utf8', stdio: 'pipe' })
const { available, reason } = probe(['xfrm-esp']).features['xfrm-esp']
const cannot = needsPrivileges() ?? needs('ip', 'ping', 'tcpdump') ?? (available ? undefined : skipping(`no ESP: ${reason}`))

const FAR = '/run/netns/esp-far'
const [HERE_IP, FAR_IP] = ['10.93.0.1', '10.93.0.2']
const KEYS = { out: '00112233445566778899aabbccddeeff01020304', in: 'ffeeddccbbaa99887766554433221100a1a2a3a4' }
const aead = (key: string): XfrmStateObject['aead'] => ({ name: 'rfc4106(gcm(aes))', key, icvBits: 128 })

/** Both states that each side needs; the same two on either side. */
function states(at: string, more: Partial<XfrmStateObject> = {}): XfrmStateObject[] {
  const common = { kind: 'xfrm-state', at, mode: 'transport', requestId: 9, replayWindow: 32, ...more } as const
  return [
    { ...common, source: HERE_IP, destination: FAR_IP, spi: 0x1001, aead: aead(KEYS.out) },
    { ...common, source: FAR_IP, destination: HERE_IP, spi: 0x1002, aead: aead(KEYS.in) },
  ]
}

function policies(at: string, mine: string, theirs: string): XfrmPolicyObject[] {
  const policy = (direction: 'in' | 'out', source: string, destination: string): XfrmPolicyObject => ({
    kind: 'xfrm-policy',
    at,
    direction,
    source: `${source}/32`,
    destination: `${destination}/32`,
    action: 'allow',
    templates: [{ source, destination, mode: 'transport', requestId: 9, level: 'required' }],
  })
  return [policy('out', mine, theirs), policy('in', theirs, mine)]
}

describe.skipIf(cannot)('ESP', () => {
  let open: OpenSession
  beforeAll(() => {
    run('ip', 'netns', 'add', 'esp-far')
    run('ip', 'link', 'add', 'esp0', 'type', 'veth', 'peer', 'name', 'esp1', 'netns', 'esp-far')
    run('ip', 'address', 'add', `${HERE_IP}/24`, 'dev', 'esp0')
    run('ip', '-n', 'esp-far', 'address', 'add', `${FAR_IP}/24`, 'dev', 'esp1')
    run('ip', 'link', 'set', 'esp0', 'up')
    run('ip', '-n', 'esp-far', 'link', 'set', 'esp1', 'up')
    open = openSession()
  })
  beforeEach(() => {
    for (const ns of [[], ['-n', 'esp-far']]) for (const table of ['state', 'policy']) run('ip', ...ns, 'xfrm', table, 'flush')
  })
  afterAll(() => {
    open?.[Symbol.dispose]()
    run('ip', 'link', 'del', 'esp0')
    run('ip', 'netns', 'del', 'esp-far')
  })

  function makeAll(more: Partial<XfrmStateObject> = {}): void {
    for (const state of [...states('host', more), ...states(FAR, more)]) xfrmStateHandler.create(state, open.session, false)
    for (const policy of [...policies('host', HERE_IP, FAR_IP), ...policies(FAR, FAR_IP, HERE_IP)])
      xfrmPolicyHandler.create(policy, open.session, false)
    open.session.flush()
  }

  const ping = (): boolean => {
    try {
      run('ping', '-c', '2', '-i', '0.2', '-W', '3', FAR_IP)
      return true
    } catch {
      return false
    }
  }

  it('carries a ping between namespaces, and nothing else is seen on the wire', async () => {
    makeAll()
    const capture = spawn('tcpdump', ['-lnni', 'esp0', 'ip'], { stdio: ['ignore', 'pipe', 'pipe'] })
    let seen = ''
    capture.stdout.on('data', (data) => (seen += String(data)))
    await once(capture.stderr, 'data')
    expect(ping()).toBe(true)
    await new Promise((resolve) => setTimeout(resolve, 1500))
    capture.kill()
    await once(capture, 'close')
    const lines = seen.split('\n').filter((line) => line !== '')
    expect(lines.length).toBeGreaterThanOrEqual(4)
    for (const line of lines) expect(line).toMatch(/ESP\(spi=0x0000100[12],seq=0x\w+\)/)
  })

  it('carries a ping with extended sequence numbers and a large window', () => {
    makeAll({ esn: true, replayWindow: 128 })
    expect(ping()).toBe(true)
    expect(xfrmStateHandler.list!('host', open.session)).toEqual(
      expect.arrayContaining([expect.objectContaining({ esn: true, replayWindow: 128 })]),
    )
  })

  it.each([{}, { esn: true, replayWindow: 64 }, { mode: 'tunnel' as const, mark: { value: 4, mask: 0xff } }])(
    'makes the state that ip xfrm makes: %o',
    (more) => {
      const [state] = states('host', more)
      xfrmStateHandler.create(state!, open.session, false)
      open.session.flush()
      const ours = run('ip', 'xfrm', 'state')
      const listed = xfrmStateHandler.list!('host', open.session)
      run('ip', 'xfrm', 'state', 'flush')
      const { source, destination, spi, mode, requestId, replayWindow, esn, mark } = state!
      const words = [
        'src',
        source,
        'dst',
        destination,
        'proto',
        'esp',
        'spi',
        String(spi),
        'mode',
        mode!,
        'reqid',
        String(requestId),
        'replay-window',
        String(replayWindow),
      ]
      const marked = mark === undefined ? [] : ['mark', String(mark.value), 'mask', String(mark.mask)]
      run(
        'ip',
        'xfrm',
        'state',
        'add',
        ...words,
        ...marked,
        ...(esn === true ? ['flag', 'esn'] : []),
        'aead',
        'rfc4106(gcm(aes))',
        `0x${KEYS.out}`,
        '128',
      )
      expect(ours).toBe(run('ip', 'xfrm', 'state'))
      expect(xfrmStateHandler.list!('host', open.session)).toEqual(listed)
      expect(listed).toEqual([{ ...state, aead: aead(redactedKey(KEYS.out)) }])
      expect(JSON.stringify(listed)).not.toContain(KEYS.out)
    },
  )

  it('reads the key only for putting a state back, and refuses its digest', () => {
    const [state] = states('host')
    xfrmStateHandler.create(state!, open.session, false)
    open.session.flush()
    expect(xfrmStateHandler.read!(state!, open.session)).toEqual(state)
    const [listed] = xfrmStateHandler.list!('host', open.session)
    xfrmStateHandler.remove(state!, open.session)
    open.session.flush()
    expect(() => xfrmStateHandler.create(listed!, open.session, false)).toThrow(expect.objectContaining({ field: 'aead.key' }))
  })

  it('changes a key, which the kernel itself would leave, and stops when the ends differ', () => {
    makeAll()
    const [out] = states('host')
    const changed = { ...out!, aead: aead('11'.repeat(20)) }
    xfrmStateHandler.change(out!, changed, open.session)
    open.session.flush()
    expect(xfrmStateHandler.read!(changed, open.session)?.aead.key).toBe('11'.repeat(20))
    expect(ping()).toBe(false)
    const far = states(FAR)[0]!
    xfrmStateHandler.change(far, { ...far, aead: changed.aead }, open.session)
    open.session.flush()
    expect(ping()).toBe(true)
  })

  it('refuses a second state with the same SPI, unless it is to be replaced', () => {
    const [state] = states('host')
    xfrmStateHandler.create(state!, open.session, false)
    open.session.flush()
    xfrmStateHandler.create(state!, open.session, false)
    expect(() => open.session.flush()).toThrow(expect.objectContaining({ errno: 17 }))
    xfrmStateHandler.create({ ...state!, requestId: 10 }, open.session, true)
    open.session.flush()
    expect(xfrmStateHandler.list!('host', open.session).map(({ requestId }) => requestId)).toEqual([10])
  })
})
