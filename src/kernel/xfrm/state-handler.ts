import type { XfrmStateObject } from '../../contracts/kernel-objects.js'
import { NETLINK_XFRM, type ObjectHandler, type TransactionContext } from '../handler.js'
import type { Message } from '../netlink/reader.js'
import { endpoints } from './structs.js'
import { deleteState, newState, parseState, writeStateId, XFRM_MSG_GETSA } from './state.js'

/**
 * Security associations, ESP with a combined-mode cipher. Keys go in and never come out: {@link list} gives
 * `sha256:` and the digest of the key, which `create` refuses.
 *
 * A state whose key, mode, window or source changes is deleted and made again in one send(2): the kernel's own update
 * (XFRM_MSG_UPDSA) changes lifetimes and leaves the key as it was. Rotating keys without loss takes a second state
 * with another SPI.
 */
export const xfrmStateHandler: ObjectHandler<'xfrm-state'> = {
  create(object, context, replace) {
    if (replace && get(object, context).length > 0) deleteState(context.writer(object.at, NETLINK_XFRM), object)
    newState(context.writer(object.at, NETLINK_XFRM), object)
  },
  change(from, to, context) {
    deleteState(context.writer(from.at, NETLINK_XFRM), from)
    newState(context.writer(to.at, NETLINK_XFRM), to)
  },
  remove(object, context) {
    deleteState(context.writer(object.at, NETLINK_XFRM), object)
  },
  list(at, context) {
    const found = context.socket(at, NETLINK_XFRM).dump(
      XFRM_MSG_GETSA,
      () => undefined,
      ({ payload }) => parseState(payload),
    )
    return found.map((state) => ({ at, ...state }))
  },
  /** With the key, for putting the state back; never leaves the kernel thread. */
  read(object, context) {
    const state = get(object, context)
      .map(({ payload }) => parseState(payload, true))
      .find((found) => found !== undefined)
    return state === undefined ? undefined : { at: object.at, ...state }
  },
  describe(action, object) {
    const verb = { create: 'add', change: 'update', delete: 'delete' }[action]
    return `ip xfrm state ${verb} src ${object.source} dst ${object.destination} proto esp spi 0x${object.spi.toString(16)}`
  },
}

function get({ at, source, destination, spi }: XfrmStateObject, context: TransactionContext): Message[] {
  const ends = endpoints(source, destination)
  const socket = context.socket(at, NETLINK_XFRM)
  return socket.request(XFRM_MSG_GETSA, 0, (writer) => writeStateId(writer, ends.destination, spi, ends.family)).replies
}
