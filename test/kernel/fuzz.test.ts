import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CnmError } from '../../src/contracts/errors.js'
import type { KernelObjectKind } from '../../src/contracts/kernel-objects.js'
import { parseFlow } from '../../src/kernel/conntrack/parse.js'
import { parseEvent } from '../../src/kernel/events/parse.js'
import { Places } from '../../src/kernel/events/places.js'
import { parseFeatures, parseUnmet } from '../../src/kernel/features/messages.js'
import { familyId } from '../../src/kernel/generic-netlink.js'
import { NETLINK_NETFILTER, NETLINK_ROUTE } from '../../src/kernel/handler.js'
import { handlerOf } from '../../src/kernel/handlers.js'
import { outcome as outcomeOf } from '../../src/kernel/netlink/acknowledgement.js'
import { attributes, messages, type Message } from '../../src/kernel/netlink/reader.js'
import { MessageWriter } from '../../src/kernel/netlink/writer.js'
import { parseStatistics } from '../../src/kernel/rtnetlink/index.js'
import { SystemCallError } from '../../src/kernel/system-call-error.js'
import { mergeDevice, parseDevice } from '../../src/kernel/wireguard/device.js'
import { wholeConfiguration, wireguardMessages } from '../../src/kernel/wireguard/index.js'
import { parseKeys } from '../../src/kernel/wireguard/options.js'
import { parsePolicy } from '../../src/kernel/xfrm/policy.js'
import { newState, parseState } from '../../src/kernel/xfrm/state.js'
import { needs, needsPrivileges } from '../tools.js'
import { mutate, Random, surrounded } from './fuzz-mutations.js'
import { recording, replaying, type Take } from './fuzz-tape.js'
import { makeWorld } from './fuzz-world.js'
import { openSession, type OpenSession } from './session.js'

/** LIBCNM_FUZZ_SEED repeats a run, LIBCNM_FUZZ_COUNT makes a longer one. */
const SEED = Number(process.env.LIBCNM_FUZZ_SEED ?? Date.now() & 0x7fffffff)
const COUNT = Number(process.env.LIBCNM_FUZZ_COUNT ?? (process.env.VM_RUN === '1' ? 5_000 : 100_000))
/** Kinds whose dumps go through a handler. */
const LISTED: KernelObjectKind[] = [
  'link',
  'address',
  'route',
  'neighbour',
  'fdb',
  'policy-rule',
  'bridge-port',
  'bridge-vlan',
  'qdisc',
  'features',
  'xfrm-state',
  'xfrm-policy',
  'nft-table',
  'nft-chain',
  'nft-set',
  'nft-element',
] as KernelObjectKind[]

const NFT_MSG_NEWGEN = 0x0a0f

const listers = LISTED.flatMap((kind) => {
  try {
    const handler = handlerOf(kind)
    return handler.list === undefined ? [] : [{ kind, handler }]
  } catch {
    return []
  }
})

/** Parsers that no list goes through, with what they are given whole. */
const PARSERS: Record<string, { samples: () => Uint8Array[]; parse: (payload: Uint8Array) => unknown }> = {
  'conntrack entry': { samples: () => recorded(NETLINK_NETFILTER, 0x0101, 4), parse: parseFlow },
  'WireGuard device': {
    samples: wireguardSamples,
    parse: (payload) => [mergeDevice([parseDevice(payload)]), [...parseKeys(payload).preshared]],
  },
  'IPsec state': { samples: stateSamples, parse: (payload) => parseState(payload, true) },
  'IPsec policy': { samples: () => recorded(6, 0x15, 0), parse: parsePolicy },
  'device features': { samples: featureSamples, parse: (payload) => [parseFeatures(payload), parseUnmet(payload)] },
  'generic netlink family': { samples: () => recorded(16, 0x10, 4, [3, 1, 0, 0]), parse: familyId },
  'link statistics': { samples: () => recorded(NETLINK_ROUTE, 94, 12, [0, 0, 0, 0, 0, 0, 0, 0, 1]), parse: parseStatistics },
  'link event': { samples: () => recorded(NETLINK_ROUTE, 18, 16), parse: (payload) => event(NETLINK_ROUTE, 16, payload) },
  'route event': { samples: () => recorded(NETLINK_ROUTE, 26, 12), parse: (payload) => event(NETLINK_ROUTE, 25, payload) },
  'nftables event': { samples: generationSamples, parse: (payload) => event(NETLINK_NETFILTER, 0x0a0f, payload) },
  'namespace event': {
    samples: () => [Uint8Array.of(0, 0, 0, 0, 8, 0, 1, 0, 5, 0, 0, 0)],
    parse: (payload) => event(NETLINK_ROUTE, 89, payload),
  },
  acknowledgement: { samples: acknowledgementSamples, parse: parseAcknowledgement },
  'any message': { samples: () => recorded(NETLINK_ROUTE, 18, 16), parse: walk },
}

let open: OpenSession

function recorded(protocol: number, type: number, header: number, start: number[] = []): Uint8Array[] {
  const body = (writer: MessageWriter): void => {
    writer.raw(Uint8Array.from({ length: header }, (_, i) => start[i] ?? 0))
  }
  const found = open.session.socket('host', protocol).dump(type, body, ({ payload }) => payload.slice())
  expect(found.length).toBeGreaterThan(0)
  return found
}

function payloads(write: (writer: MessageWriter) => void): Uint8Array[] {
  const writer = new MessageWriter(1)
  write(writer)
  return [...messages(writer.bytes())].map(({ payload }) => payload.slice())
}

function wireguardSamples(): Uint8Array[] {
  const publicKey = Buffer.alloc(32, 7).toString('base64')
  const peers = [
    { publicKey, presharedKey: publicKey, endpoint: '[fd00::1]:9', keepalive: 5, allowedAddresses: ['10.0.0.0/8', 'fd00::/64'] },
  ]
  return payloads((writer) => {
    for (const _ of wireguardMessages(
      () => writer,
      30,
      4,
      wholeConfiguration({ privateKey: publicKey, listenPort: 9, firewallMark: 7, peers }),
    ));
  })
}

function stateSamples(): Uint8Array[] {
  const aead = { name: 'rfc4106(gcm(aes))', key: '00'.repeat(20), icvBits: 128 }
  const state = {
    kind: 'xfrm-state',
    at: 'host',
    source: 'fd00::1',
    destination: 'fd00::2',
    spi: 256,
    aead,
    mark: { value: 1, mask: 255 },
    esn: true,
  } as const
  return payloads((writer) => newState(writer, state))
}

function featureSamples(): Uint8Array[] {
  const tape: Take[] = []
  handlerOf('features').list!('host', recording(open.session, tape))
  return tape.flat().map(({ payload }) => payload)
}

function generationSamples(): Uint8Array[] {
  return payloads((writer) => writer.begin(0x0a0f, 0).u32(0).attrU32be(1, 5).attrU32be(2, 77).attrString(3, 'nft').end())
}

/** A refusal with the kernel's words behind the header of the request, and behind the whole of it. */
function acknowledgementSamples(): Uint8Array[] {
  return payloads((writer) => {
    writer.begin(2, 0).i32(-95).u32(48).u16(16).u16(5).u32(7).u32(0).attrString(1, 'Unknown device type').end()
    writer.begin(2, 0).i32(-95).u32(20).u16(16).u16(5).u32(7).u32(0).u32(1).attrString(1, 'Unknown device type').attrU32(2, 44).end()
  })
}

/** With the flags that say that the request is cut off (NLM_F_CAPPED), and that attributes follow (NLM_F_ACK_TLVS). */
function parseAcknowledgement(payload: Uint8Array): unknown {
  return [0x200, 0x300].flatMap((flags) => [2, 3].map((type) => outcomeOf({ type, flags, sequence: 0, port: 0, payload })))
}

const event = (protocol: number, type: number, payload: Uint8Array): unknown =>
  parseEvent({ message: { type, flags: 0, sequence: 0, port: 0, payload } }, protocol, new Places(), 'self')

/** Messages and attributes as deep as they go, taken for one another. */
function walk(bytes: Uint8Array): unknown {
  return [[...messages(bytes)].length, depth(bytes, 0), depth(bytes, 16)]
}

function depth(bytes: Uint8Array, from: number): number {
  let count = 0
  for (const { value } of attributes(bytes, from)) count += 1 + (value.length < bytes.length ? depth(value, 0) : 0)
  return count
}

/** The outcome as text, in which a refusal in the kernel layer's own words is an outcome, and anything else thrown a failure. */
function outcome(body: () => unknown): string {
  try {
    return JSON.stringify(body(), (_key, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value)) ?? 'nothing'
  } catch (error) {
    if (error instanceof CnmError || error instanceof SystemCallError) return `refused: ${error.message}`
    throw error
  }
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

const cannot = needsPrivileges() ?? needs('ip', 'bridge', 'tc', 'nft', 'conntrack')
const each = Math.ceil(COUNT / (Object.keys(PARSERS).length + listers.length))

describe.skipIf(cannot)(`${COUNT} damaged replies, seed ${SEED}`, () => {
  beforeAll(() => {
    console.log(`fuzz: LIBCNM_FUZZ_SEED=${SEED}, handlers of ${listers.map(({ kind }) => kind).join(', ')}`)
    makeWorld()
    open = openSession()
  })
  afterAll(() => open?.[Symbol.dispose]())

  it.each(Object.keys(PARSERS))('%s', (name) => {
    const { samples, parse } = PARSERS[name]!
    const originals = samples()
    const random = new Random(SEED)
    let longest = 0
    for (let i = 0; i < each; i++) {
      const damaged = i < originals.length ? originals[i]! : mutate(random.pick(originals), random, random.pick(originals))
      const begin = performance.now()
      const first = guarded(() => parse(surrounded(damaged, 0)), name, damaged)
      longest = Math.max(longest, performance.now() - begin)
      expect(
        guarded(() => parse(surrounded(damaged, 0xff)), name, damaged),
        `reads beyond ${hex(damaged)}`,
      ).toBe(first)
    }
    expect(longest).toBeLessThan(1000)
  })

  it.each(listers)('list of $kind', ({ kind, handler }) => {
    const tape: Take[] = []
    const whole = outcome(() => handler.list!('host', recording(open.session, tape)))
    expect(outcome(() => handler.list!('host', replaying(open.session, tape)))).toBe(whole)
    const all = tape.flat().map(({ payload }) => payload)
    if (all.length === 0) {
      console.log(`fuzz: this kernel has nothing in the list of ${kind}`)
      return
    }
    const random = new Random(SEED)
    for (let count = 0; count < each;) {
      const damaged = tape.map((take) =>
        take.map((message): Message => ({
          ...message,
          payload: stays(message, random) ? message.payload : mutate(message.payload, random, random.pick(all)),
        })),
      )
      count += all.length
      const within = (fill: number): Take[] =>
        damaged.map((take) => take.map((message) => ({ ...message, payload: surrounded(message.payload, fill) })))
      const shown = damaged
        .flat()
        .map(({ payload }) => hex(payload))
        .join(' ')
      const first = guarded(() => handler.list!('host', replaying(open.session, within(0))), kind, shown)
      expect(
        guarded(() => handler.list!('host', replaying(open.session, within(0xff))), kind, shown),
        `reads beyond ${shown}`,
      ).toBe(first)
    }
  })
})

/** Some stay whole, so that the others get as far as they can: a damaged generation ends the listing of a ruleset at once. */
function stays({ type }: Message, random: Random): boolean {
  return type === NFT_MSG_NEWGEN ? random.next(16) !== 0 : random.next(4) === 0
}

function guarded(body: () => unknown, name: string, damaged: Uint8Array | string): string {
  try {
    return outcome(body)
  } catch (error) {
    throw new Error(`${name}, seed ${SEED}: ${String(error)} for ${typeof damaged === 'string' ? damaged : hex(damaged)}`, { cause: error })
  }
}
