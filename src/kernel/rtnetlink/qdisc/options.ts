/** Options of queueing disciplines: linux/pkt_sched.h. */
import type { QdiscObject } from '../../../contracts/kernel-objects.js'
import { attributeTable, u32, u64 } from '../../netlink/reader.js'
import type { MessageWriter } from '../../netlink/writer.js'
import { integer, invalid, refuseUnknown } from '../input.js'

type Qdisc = QdiscObject['qdisc']
type Tbf = Extract<Qdisc, { type: 'tbf' }>
type Netem = Extract<Qdisc, { type: 'netem' }>

const TCA_TBF_PARMS = 1
const TCA_TBF_RATE64 = 4
const TCA_TBF_BURST = 6
const TCA_NETEM_LATENCY64 = 10
const TBF_PARMS_LENGTH = 36
const NETEM_HEADER = 24
/** The kernel counts time in units of so many nanoseconds. */
const TICK = 64
const TC_LINKLAYER_ETHERNET = 1
const MAX_U32 = 0xffffffff
/** What CNI's bandwidth plugin uses too. */
const LATENCY = 25_000
const NETEM_LIMIT = 1000

const NAMES: Readonly<Record<Qdisc['type'], ReadonlySet<string>>> = {
  tbf: new Set(['type', 'rate', 'burst', 'latency']),
  fq_codel: new Set(['type']),
  noqueue: new Set(['type']),
  ingress: new Set(['type']),
  netem: new Set(['type', 'delay', 'loss', 'limit']),
}

/** The payload of TCA_OPTIONS. @throws CnmError ERR_CNM_INVALID_ARGUMENT, ERR_CNM_UNKNOWN_OPTION */
export function writeQdiscOptions(writer: MessageWriter, qdisc: Qdisc): void {
  if (!Object.hasOwn(NAMES, qdisc.type)) throw invalid('type', `${JSON.stringify(qdisc.type)} is none of ${Object.keys(NAMES).join(', ')}`)
  refuseUnknown(qdisc, NAMES[qdisc.type], `a qdisc of type ${qdisc.type}`)
  if (qdisc.type === 'tbf') writeTbf(writer, qdisc)
  if (qdisc.type === 'netem') writeNetem(writer, qdisc)
}

/** Pure. `undefined` for a type that libcnm does not make. */
export function parseQdiscOptions(type: string, options: Uint8Array): Qdisc | undefined {
  if (type === 'tbf') return parseTbf(options)
  if (type === 'netem') return parseNetem(options)
  if (type === 'clsact') return { type: 'ingress' }
  return type === 'fq_codel' || type === 'noqueue' || type === 'ingress' ? { type } : undefined
}

/** struct tc_tbf_qopt: rate and peak rate (struct tc_ratespec), bytes that may wait, time to send a burst, largest packet. */
function writeTbf(writer: MessageWriter, { rate, burst, latency = LATENCY }: Tbf): void {
  integer(rate, 'rate', Number.MAX_SAFE_INTEGER, 1)
  integer(burst, 'burst', MAX_U32, 1)
  const waiting = Math.round((rate * integer(latency, 'latency')) / 1e6) + burst
  if (waiting > MAX_U32) throw invalid('latency', `${waiting} bytes would wait; the kernel counts to ${MAX_U32}`)
  const ticks = Math.round((burst * 1e9) / rate / TICK)
  if (ticks > MAX_U32) throw invalid('burst', `${burst} bytes would take longer than the 274 s that the kernel counts`)
  const start = writer.nestBegin(TCA_TBF_PARMS)
  writer.u8(0).u8(TC_LINKLAYER_ETHERNET).u16(0).u16(0).u16(0).u32(Math.min(rate, MAX_U32))
  writer.u32(0).u32(0).u32(0)
  writer.u32(waiting).u32(ticks).u32(0)
  writer.nestEnd(start)
  if (rate > MAX_U32) writer.attrU64(TCA_TBF_RATE64, BigInt(rate))
  writer.attrU32(TCA_TBF_BURST, burst)
}

function parseTbf(options: Uint8Array): Tbf {
  const table = attributeTable(options, 0, TCA_TBF_BURST)
  const parameters = table[TCA_TBF_PARMS] ?? new Uint8Array(TBF_PARMS_LENGTH)
  const rate = table[TCA_TBF_RATE64] === undefined ? u32(parameters, 8) : Number(u64(table[TCA_TBF_RATE64]))
  const burst = burstOf(u32(parameters, 28), rate)
  const waiting = u32(parameters, 24)
  const latency = rate === 0 ? 0 : Math.max(0, Math.round(((waiting - burst) * 1e6) / rate))
  return latency === LATENCY ? { type: 'tbf', rate, burst } : { type: 'tbf', rate, burst, latency }
}

/**
 * The kernel keeps the time that a burst takes, rounded down, not its bytes. Where a tick is less than two bytes they can
 * be told; above, any number of them that takes so many ticks is as good, and one from the middle gives the same again.
 */
function burstOf(ticks: number, rate: number): number {
  const bytesPerTick = (TICK * rate) / 1e9
  return bytesPerTick < 2 ? Math.ceil(ticks * bytesPerTick - 1e-6) : Math.round((ticks + 0.5) * bytesPerTick)
}

/** struct tc_netem_qopt: latency in ticks, packets that may wait, loss of 2^32, gap, duplicates, jitter. */
function writeNetem(writer: MessageWriter, { delay = 0, loss = 0, limit = NETEM_LIMIT }: Netem): void {
  integer(delay, 'delay')
  if (typeof loss !== 'number' || !(loss >= 0 && loss <= 1)) throw invalid('loss', `${JSON.stringify(loss)} is not a number of 0 to 1`)
  const ticks = Math.min(Math.round((delay * 1000) / TICK), MAX_U32)
  writer
    .u32(ticks)
    .u32(integer(limit, 'limit'))
    .u32(Math.round(loss * MAX_U32))
    .u32(0)
    .u32(0)
    .u32(0)
  writer.attrU64(TCA_NETEM_LATENCY64, BigInt(delay) * 1000n)
}

function parseNetem(options: Uint8Array): Netem {
  const netem: Netem = { type: 'netem' }
  const exact = attributeTable(options, NETEM_HEADER, TCA_NETEM_LATENCY64)[TCA_NETEM_LATENCY64]
  const delay = exact === undefined ? Math.round((u32(options) * TICK) / 1000) : Math.round(Number(u64(exact)) / 1000)
  if (delay !== 0) netem.delay = delay
  // Nine digits: the kernel has 32 bits of it.
  const loss = Number((u32(options, 8) / MAX_U32).toFixed(9))
  if (loss !== 0) netem.loss = loss
  if (u32(options, 4) !== NETEM_LIMIT) netem.limit = u32(options, 4)
  return netem
}
