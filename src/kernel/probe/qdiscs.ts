import { NETLINK_ROUTE } from '../handler.js'
import { NLM_F_ACK, NLM_F_CREATE, NLM_F_REPLACE, type MessageWriter } from '../netlink/writer.js'
import type { FeatureName, Verdict } from './capabilities.js'
import { verdictOf } from './verdict.js'
import { newLink } from './links.js'
import type { ProbeWorld } from './world.js'

// linux/rtnetlink.h, linux/pkt_sched.h
const RTM_NEWQDISC = 36
const TCA_KIND = 1
const TCA_OPTIONS = 2
const TC_H_ROOT = 0xffffffff
const TC_H_INGRESS = 0xfffffff1
const TCA_TBF_PARMS = 1
const ETHERNET = 1
const DEVICE = 20_000

interface ProbedQdisc {
  kind: string
  parent: number
  options?: (writer: MessageWriter) => void
}

const QDISCS: Partial<Record<FeatureName, ProbedQdisc>> = {
  'qdisc-tbf': { kind: 'tbf', parent: TC_H_ROOT, options: (writer) => writer.nest(TCA_OPTIONS, () => tokenBucket(writer)) },
  'qdisc-fq-codel': { kind: 'fq_codel', parent: TC_H_ROOT },
  // struct tc_netem_qopt: latency, limit, loss, gap, duplicate, jitter
  'qdisc-netem': { kind: 'netem', parent: TC_H_ROOT, options: (writer) => writer.attrBytes(TCA_OPTIONS, words(0, 1000, 0, 0, 0, 0)) },
  'qdisc-ingress': { kind: 'ingress', parent: TC_H_INGRESS },
}

function tokenBucket(writer: MessageWriter): void {
  // struct tc_tbf_qopt: two struct tc_ratespec (cell_log, linklayer, overhead, cell_align, mpu, rate), limit, buffer, mtu
  const rate = words(ETHERNET << 8, 0, 125_000)
  writer.attrBytes(TCA_TBF_PARMS, Buffer.concat([rate, words(0, 0, 0), words(100_000, 1_000_000, 0)]))
}

const words = (...values: number[]): Uint8Array => new Uint8Array(new Uint32Array(values).buffer)

/** Puts each asked queueing discipline on a link of the namespace, one after the other. */
export function probeQdiscs(names: FeatureName[], world: ProbeWorld): Map<FeatureName, Verdict> {
  const socket = world.socket(NETLINK_ROUTE)
  const writer = socket.writer()
  newLink(writer, { kind: 'bridge' }, 'probe-qdisc', DEVICE)
  const asked = names.flatMap((name) => (QDISCS[name] === undefined ? [] : [{ name, qdisc: QDISCS[name] }]))
  for (const { qdisc } of asked) {
    writer.begin(RTM_NEWQDISC, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE)
    // struct tcmsg: family, padding, index, handle, parent, info
    writer.u32(0).i32(DEVICE).u32(0).u32(qdisc.parent).u32(0)
    writer.attrString(TCA_KIND, qdisc.kind)
    qdisc.options?.(writer)
    writer.end()
  }
  const answers = socket.exchange(writer).slice(1)
  return new Map(asked.map(({ name }, i) => [name, verdictOf(answers[i])]))
}
