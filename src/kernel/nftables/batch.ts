/**
 * A batch of nf_tables changes: all of them or none (linux/netfilter/nfnetlink.h). The kernel works through the
 * whole batch inside send(2), so every answer is in the receive queue when send returns. That queue is bounded, so
 * messages are written without NLM_F_ACK: refusals are always answered, and the last message alone asks for an
 * acknowledgement, as the proof that the batch was taken.
 */
import type { Acknowledgement, NetlinkSocket } from '../netlink/socket.js'
import type { MessageWriter } from '../netlink/writer.js'

const NFNL_MSG_BATCH_BEGIN = 0x10
const NFNL_MSG_BATCH_END = 0x11
const NFNL_SUBSYS_NFTABLES = 10
const NFNL_BATCH_GENID = 1
const AF_UNSPEC = 0
const NFNETLINK_V0 = 0
const ETIMEDOUT = 110
/** A default socket buffer takes 208 KiB, of which the kernel's own bookkeeping uses a part. */
const DEFAULT_BUFFER = 128 * 1024

/**
 * Starts a batch.
 * @param generation The ruleset generation (NFT_MSG_GETGEN) that the changes are based on; when another one is in
 *   force by then, the kernel refuses the whole batch with ERESTART.
 */
export function beginBatch(writer: MessageWriter, generation?: number): void {
  batchMessage(writer, NFNL_MSG_BATCH_BEGIN, () => {
    if (generation !== undefined) writer.attrU32be(NFNL_BATCH_GENID, generation)
  })
}

/** Ends the batch; the message before, the last change, is made to ask for an acknowledgement. */
export function endBatch(writer: MessageWriter): void {
  writer.acknowledgeLast()
  batchMessage(writer, NFNL_MSG_BATCH_END)
}

export interface BatchAnswer {
  /** The batch as a whole was refused: no permission, another generation, no nf_tables in this kernel, failed commit. */
  refused?: Acknowledgement
  /** One per change, in order, without the begin and end messages. Any errno other than 0 means that nothing changed. */
  changes: Acknowledgement[]
}

/** Sends a writer that holds exactly one batch. */
export function exchangeBatch(socket: NetlinkSocket, writer: MessageWriter): BatchAnswer {
  const [begin, ...rest] = writer.sequences
  const changes = rest.slice(0, -1).map((sequence): Acknowledgement => ({ sequence, errno: 0, replies: [] }))
  if (begin === undefined || changes.length === 0) return { changes }
  if (writer.length > DEFAULT_BUFFER) socket.enlarge(writer.length * 2)
  const answers = new Map(socket.exchangeAtOnce(writer).map((answer) => [answer.sequence, answer]))
  const answered = changes.map((change) => answers.get(change.sequence) ?? change)
  const last = changes[changes.length - 1]!
  const proven = answers.has(last.sequence) || answered.some((change) => change.errno !== 0)
  const start = answers.get(begin)
  if (start !== undefined && start.errno !== 0) return { refused: start, changes: answered }
  if (!proven) return { refused: { ...last, errno: ETIMEDOUT, text: 'the kernel did not answer the batch' }, changes: answered }
  return { changes: answered }
}

function batchMessage(writer: MessageWriter, type: number, body?: () => void): void {
  // struct nfgenmsg: family, version, resource id in network order, here the subsystem that the batch is for
  writer.begin(type, 0).u8(AF_UNSPEC).u8(NFNETLINK_V0).u16be(NFNL_SUBSYS_NFTABLES)
  body?.()
  writer.end()
}
