/** Security associations: messages of NETLINK_XFRM about ESP states with combined-mode ciphers (RFC 4303, RFC 4106). */
import { CnmError } from '../../contracts/errors.js'
import type { XfrmStateObject } from '../../contracts/kernel-objects.js'
import { attributeMap, text, u16, u32, u8 } from '../netlink/reader.js'
import { NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, type MessageWriter } from '../netlink/writer.js'
import { keyBytes, keyDigest } from '../../contracts/aead-key.js'
import {
  checkMode,
  endpoints,
  hasInterfaceId,
  ID_LENGTH,
  IPPROTO_ESP,
  LIFETIMES_LENGTH,
  MODES,
  readAddress,
  readMark,
  readSpi,
  SELECTOR_LENGTH,
  writeAddress,
  writeAnySelector,
  writeId,
  writeLifetimes,
  writeMark,
  XFRMA_MARK,
} from './structs.js'

const XFRM_MSG_NEWSA = 0x10
const XFRM_MSG_DELSA = 0x11
export const XFRM_MSG_GETSA = 0x12
const XFRMA_ENCAP = 4
const XFRMA_ALG_AEAD = 18
const XFRMA_REPLAY_ESN_VAL = 23
const XFRM_STATE_ESN = 128
const ALGORITHM_NAME = 64
/** The window that fits into struct xfrm_usersa_info; a larger one needs XFRMA_REPLAY_ESN_VAL. */
const SMALL_WINDOW = 32
const LARGEST_WINDOW = 4096
const DEFAULT_WINDOW = 32

// Offsets in struct xfrm_usersa_info.
const ID = SELECTOR_LENGTH
const SOURCE = ID + ID_LENGTH
const SEQUENCE = SOURCE + 16 + LIFETIMES_LENGTH + 12
const REQUEST_ID = SEQUENCE + 4
const FAMILY = SEQUENCE + 8
const MODE = FAMILY + 2
const WINDOW = FAMILY + 3
const FLAGS = FAMILY + 4
export const STATE_LENGTH = 224

/** @throws CnmError ERR_CNM_INVALID_ARGUMENT, never with the key in it */
export function newState(writer: MessageWriter, state: XfrmStateObject): void {
  const { source, destination, family } = endpoints(state.source, state.destination)
  const { window, large } = replayWindow(state)
  writer.begin(XFRM_MSG_NEWSA, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL)
  writeAnySelector(writer, family)
  writeId(writer, destination, checkSpi(state.spi))
  writeAddress(writer, source)
  writeLifetimes(writer)
  // struct xfrm_stats
  writer.u32(0).u32(0).u32(0)
  writer
    .u32(0)
    .u32(state.requestId ?? 0)
    .u16(family)
    .u8(checkMode(state.mode))
  writer.u8(large ? 0 : window).u8(state.esn === true ? XFRM_STATE_ESN : 0)
  // padding of the structure to eight bytes
  writer.u8(0).u16(0).u32(0)
  writeAead(writer, state.aead)
  if (large) writeReplay(writer, window)
  writeMark(writer, state.mark)
  writer.end()
}

export function deleteState(writer: MessageWriter, state: XfrmStateObject): void {
  const { destination, family } = endpoints(state.source, state.destination)
  writer.begin(XFRM_MSG_DELSA, NLM_F_ACK)
  writeStateId(writer, destination, checkSpi(state.spi), family)
  writeMark(writer, state.mark)
  writer.end()
}

/** struct xfrm_usersa_id. */
export function writeStateId(writer: MessageWriter, destination: Uint8Array, spi: number, family: number): void {
  writeAddress(writer, destination)
  writer.u32be(spi).u16(family).u8(IPPROTO_ESP).u8(0)
}

/**
 * A state of a dump in normal form, its key as digest. `undefined` for what {@link XfrmStateObject} cannot say: other
 * protocols, separate ciphers, UDP encapsulation, states of an xfrm interface.
 * @param withKey give the key itself, in hex
 */
export function parseState(payload: Uint8Array, withKey = false): Omit<XfrmStateObject, 'at'> | undefined {
  if (payload.length < STATE_LENGTH || u8(payload, ID + 20) !== IPPROTO_ESP) return undefined
  const attributes = attributeMap(payload, STATE_LENGTH)
  const aead = parseAead(attributes.get(XFRMA_ALG_AEAD), withKey)
  if (aead === undefined || attributes.has(XFRMA_ENCAP) || hasInterfaceId(attributes)) return undefined
  const family = u16(payload, FAMILY)
  const replay = attributes.get(XFRMA_REPLAY_ESN_VAL)
  const window = replay === undefined ? u8(payload, WINDOW) : u32(replay, 20)
  const mark = readMark(attributes.get(XFRMA_MARK))
  const requestId = u32(payload, REQUEST_ID)
  return {
    kind: 'xfrm-state',
    source: readAddress(payload, SOURCE, family),
    destination: readAddress(payload, ID, family),
    spi: readSpi(payload, ID),
    mode: MODES[u8(payload, MODE)] ?? 'transport',
    ...(requestId === 0 ? {} : { requestId }),
    aead,
    replayWindow: window,
    ...(mark === undefined ? {} : { mark }),
    ...((u8(payload, FLAGS) & XFRM_STATE_ESN) === 0 ? {} : { esn: true }),
  }
}

function writeAead(writer: MessageWriter, { name, key, icvBits }: XfrmStateObject['aead']): void {
  const bytes = keyBytes(key)
  const label = Buffer.from(name, 'latin1')
  if (label.length === 0 || label.length >= ALGORITHM_NAME) {
    throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `aead.name: ${JSON.stringify(name)} is no algorithm name`, { field: 'aead.name' })
  }
  // struct xfrm_algo_aead: name, key and tag length in bits, key
  const struct = new Uint8Array(ALGORITHM_NAME + 8 + bytes.length)
  struct.set(label)
  struct.set(new Uint8Array(Uint32Array.of(bytes.length * 8, icvBits).buffer), ALGORITHM_NAME)
  struct.set(bytes, ALGORITHM_NAME + 8)
  writer.attrBytes(XFRMA_ALG_AEAD, struct)
}

function parseAead(bytes: Uint8Array | undefined, withKey: boolean): XfrmStateObject['aead'] | undefined {
  if (bytes === undefined || bytes.length < ALGORITHM_NAME + 8) return undefined
  const length = u32(bytes, ALGORITHM_NAME) / 8
  const key = bytes.subarray(ALGORITHM_NAME + 8, ALGORITHM_NAME + 8 + length)
  const shown = withKey ? Buffer.from(key).toString('hex') : keyDigest(key)
  return { name: text(bytes.subarray(0, ALGORITHM_NAME)), key: shown, icvBits: u32(bytes, ALGORITHM_NAME + 4) }
}

function replayWindow({ replayWindow: window = DEFAULT_WINDOW, esn }: XfrmStateObject): { window: number; large: boolean } {
  if (!Number.isInteger(window) || window < 0 || window > LARGEST_WINDOW) {
    throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `replayWindow: ${window} is not between 0 and ${LARGEST_WINDOW} packets`, {
      field: 'replayWindow',
    })
  }
  if (esn === true && window === 0) {
    throw new CnmError('ERR_CNM_INVALID_ARGUMENT', 'replayWindow: extended sequence numbers need a window', { field: 'replayWindow' })
  }
  return { window, large: esn === true || window > SMALL_WINDOW }
}

/** struct xfrm_replay_state_esn with an empty bitmap: bitmap words, four counters, window, bitmap. */
function writeReplay(writer: MessageWriter, window: number): void {
  const words = new Uint32Array(6 + Math.ceil(window / 32))
  words[0] = words.length - 6
  words[5] = window
  writer.attrBytes(XFRMA_REPLAY_ESN_VAL, new Uint8Array(words.buffer))
}

function checkSpi(spi: number): number {
  if (!Number.isInteger(spi) || spi < 1 || spi > 0xffff_ffff) {
    throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `spi: ${spi} is not between 1 and 4294967295`, { field: 'spi' })
  }
  return spi
}
