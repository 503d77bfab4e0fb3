import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { CnmError } from '../../src/contracts/errors.js'
import type { XfrmPolicyObject, XfrmStateObject } from '../../src/contracts/kernel-objects.js'
import { messages } from '../../src/kernel/netlink/reader.js'
import { MessageWriter } from '../../src/kernel/netlink/writer.js'
import { xfrmStateHandler } from '../../src/kernel/xfrm/index.js'
import { newPolicy, parsePolicy, POLICY_LENGTH } from '../../src/kernel/xfrm/policy.js'
import { newState, parseState, STATE_LENGTH } from '../../src/kernel/xfrm/state.js'

const SECRET = '00112233445566778899aabbccddeeff01020304'
const state: XfrmStateObject = {
  kind: 'xfrm-state',
  at: 'host',
  source: '192.0.2.1',
  destination: '192.0.2.2',
  spi: 0x1234,
  mode: 'transport',
  requestId: 7,
  aead: { name: 'rfc4106(gcm(aes))', key: SECRET, icvBits: 128 },
  replayWindow: 64,
  mark: { value: 5, mask: 0xff },
  esn: true,
}
const policy: XfrmPolicyObject = {
  kind: 'xfrm-policy',
  at: 'host',
  direction: 'out',
  source: 'fd00::/64',
  destination: 'fd01::1/128',
  protocol: 17,
  destinationPort: 4789,
  priority: 100,
  action: 'allow',
  mark: { value: 5, mask: 0xff },
  templates: [{ source: 'fd00::1', destination: 'fd01::1', spi: 9, mode: 'tunnel', requestId: 7, level: 'use' }],
}

function payloadOf(write: (writer: MessageWriter) => void): Uint8Array {
  const writer = new MessageWriter(1)
  write(writer)
  const found = [...messages(writer.bytes())]
  expect(found).toHaveLength(1)
  return found[0]!.payload
}

describe('IPsec messages', () => {
  it('of a state carry every field, and give the key only as its digest', () => {
    const payload = payloadOf((writer) => newState(writer, state))
    expect(payload.length).toBeGreaterThan(STATE_LENGTH)
    const digest = createHash('sha256').update(Buffer.from(SECRET, 'hex')).digest('hex')
    expect({ at: 'host', ...parseState(payload) }).toEqual({ ...state, aead: { ...state.aead, key: `sha256:${digest}` } })
    expect({ at: 'host', ...parseState(payload, true) }).toEqual(state)
  })

  it('of a policy carry every field', () => {
    const payload = payloadOf((writer) => newPolicy(writer, policy, false))
    expect(payload.length).toBeGreaterThan(POLICY_LENGTH)
    expect({ at: 'host', ...parsePolicy(payload) }).toEqual(policy)
  })

  it.each([
    ['aead.key', { aead: { ...state.aead, key: `${SECRET}0` } }],
    ['aead.key', { aead: { ...state.aead, key: `sha256:${SECRET}` } }],
    ['aead.name', { aead: { ...state.aead, name: 'x'.repeat(64) } }],
    ['spi', { spi: 0 }],
    ['replayWindow', { replayWindow: 5000 }],
    ['replayWindow', { replayWindow: 0 }],
    ['mode', { mode: 'beet' as 'tunnel' }],
    ['source', { source: 'fd00::1' }],
    ['destination', { destination: '192.0.2.0/24' }],
  ])('refuse a wrong %s without showing the key', (field, wrong) => {
    let thrown: unknown
    try {
      payloadOf((writer) => newState(writer, { ...state, ...wrong }))
    } catch (error) {
      thrown = error
    }
    expect(thrown).toBeInstanceOf(CnmError)
    expect(thrown).toMatchObject({ code: 'ERR_CNM_INVALID_ARGUMENT', field })
    expect(JSON.stringify(thrown) + String((thrown as Error).stack)).not.toContain(SECRET)
  })

  it('are described without the key', () => {
    for (const action of ['create', 'change', 'delete'] as const) expect(xfrmStateHandler.describe(action, state)).not.toContain(SECRET)
    expect(xfrmStateHandler.describe('create', state)).toBe('ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x1234')
  })
})
