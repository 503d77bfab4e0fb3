import type { XfrmPolicyObject } from '../../contracts/kernel-objects.js'
import { NETLINK_XFRM, type ObjectHandler } from '../handler.js'
import { deletePolicy, newPolicy, parsePolicy, XFRM_MSG_GETPOLICY } from './policy.js'

/** IPsec policies. The kernel knows one by its direction, selector and mark, and replaces the rest at once. */
export const xfrmPolicyHandler: ObjectHandler<'xfrm-policy'> = {
  create(object, context, replace) {
    newPolicy(context.writer(object.at, NETLINK_XFRM), object, replace)
  },
  change(from, to, context) {
    if (identity(from) !== identity(to)) deletePolicy(context.writer(from.at, NETLINK_XFRM), from)
    newPolicy(context.writer(to.at, NETLINK_XFRM), to, true)
  },
  remove(object, context) {
    deletePolicy(context.writer(object.at, NETLINK_XFRM), object)
  },
  list(at, context) {
    const found = context.socket(at, NETLINK_XFRM).dump(
      XFRM_MSG_GETPOLICY,
      () => undefined,
      ({ payload }) => parsePolicy(payload),
    )
    return found.map((policy) => ({ at, ...policy }))
  },
  describe(action, object) {
    const verb = { create: 'add', change: 'update', delete: 'delete' }[action]
    return `ip xfrm policy ${verb} dir ${object.direction} src ${object.source} dst ${object.destination}${upperLayer(object)}`
  },
}

function identity({ at, direction, source, destination, protocol, sourcePort, destinationPort, mark }: XfrmPolicyObject): string {
  return JSON.stringify([at, direction, source, destination, protocol, sourcePort, destinationPort, mark?.value, mark?.mask])
}

function upperLayer({ protocol, sourcePort, destinationPort }: XfrmPolicyObject): string {
  const parts = [
    ['proto', protocol],
    ['sport', sourcePort],
    ['dport', destinationPort],
  ] as const
  return parts.map(([word, value]) => (value === undefined ? '' : ` ${word} ${value}`)).join('')
}
