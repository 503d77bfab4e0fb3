import { CnmError, type ErrorCode } from '../../contracts/errors.js'
import type { FeaturesObject } from '../../contracts/kernel-objects.js'
import { kernelError } from '../errors.js'
import { genericFamily } from '../generic-netlink.js'
import { NETLINK_GENERIC, type ObjectHandler, type TransactionContext } from '../handler.js'
import { parseFeatures, parseUnmet, writeDump, writeGet, writeSet, type DeviceFeature } from './messages.js'

const FAMILY = 'ethtool'

/**
 * Switches of a device: checksum and segmentation offloads. Every device has them, so creating means switching, and
 * removing leaves them as they are: what they were before is not known any more.
 */
export const featuresHandler: ObjectHandler<'features'> = {
  create(object, context) {
    set(object, context)
  },
  change(_from, to, context) {
    set(to, context)
  },
  remove() {},
  read(object, context) {
    const present = deviceFeatures(object, context).filter(({ name }) => name in object.features)
    return { ...object, features: active(present) }
  },
  /** Of each device, the features that can be switched. */
  list(at, context) {
    const socket = context.socket(at, NETLINK_GENERIC)
    const devices = socket.dump(genericFamily(socket, FAMILY), writeDump, ({ payload }) => parseFeatures(payload))
    return devices.map(({ link, features }) => ({
      kind: 'features',
      at,
      link,
      features: active(features.filter(({ changeable }) => changeable)),
    }))
  },
  describe(action, { link, features }) {
    if (action === 'delete') return `leave features of ${link}`
    return `ethtool -K ${link} ${Object.entries(features)
      .map(([name, on]) => `${name} ${on ? 'on' : 'off'}`)
      .join(' ')}`
  },
}

const active = (features: DeviceFeature[]): Record<string, boolean> =>
  Object.fromEntries(features.map((feature) => [feature.name, feature.active]))

/**
 * Looks first, and looks at the reply: the kernel passes over a feature that a device cannot switch, or that another
 * one needs, and calls that success. So this does not travel with other messages.
 */
function set(object: FeaturesObject, context: TransactionContext): void {
  const index = context.linkIndex(object.at, object.link)
  const present = new Map(deviceFeatures(object, context).map((feature) => [feature.name, feature]))
  const differing = Object.entries(object.features).filter(([name, on]) => present.get(name)?.active !== on)
  const missing = differing.find(([name]) => !present.has(name))
  if (missing !== undefined) throw refusal(object, `no device has a feature ${JSON.stringify(missing[0])}`, 'ERR_CNM_INVALID_ARGUMENT')
  const fixed = differing.filter(([name]) => present.get(name)?.changeable === false).map(([name]) => name)
  if (fixed.length > 0) throw refusal(object, `${fixed.join(', ')} cannot be switched on this device`)
  const unmet = request(object, index, Object.fromEntries(differing), context)
  if (unmet.length === 0) return
  request(object, index, Object.fromEntries(differing.map(([name, on]) => [name, !on])), context)
  throw refusal(object, `${unmet.join(', ')} cannot be switched as the others are`)
}

/** @returns the features that the kernel did not set */
function request(object: FeaturesObject, index: number, features: Record<string, boolean>, context: TransactionContext): string[] {
  if (Object.keys(features).length === 0) return []
  const socket = context.socket(object.at, NETLINK_GENERIC)
  const { errno, text, replies } = socket.request(genericFamily(socket, FAMILY), 0, (writer) => writeSet(writer, index, features))
  if (errno !== 0) throw kernelError({ errno, text, operation: featuresHandler.describe('create', object), subject: 'link' })
  return replies.flatMap(({ payload }) => parseUnmet(payload))
}

function refusal(object: FeaturesObject, words: string, code: ErrorCode = 'ERR_CNM_NOT_SUPPORTED'): CnmError {
  const operation = featuresHandler.describe('create', object)
  return new CnmError(code, `${operation}: ${words}`, { object: `link ${object.link}`, field: 'features', operation })
}

function deviceFeatures({ at, link }: FeaturesObject, context: TransactionContext): DeviceFeature[] {
  const socket = context.socket(at, NETLINK_GENERIC)
  const answer = socket.request(genericFamily(socket, FAMILY), 0, (writer) => writeGet(writer, link))
  if (answer.errno !== 0) throw kernelError({ ...answer, operation: `ethtool -k ${link}`, subject: 'link' })
  return answer.replies.flatMap(({ payload }) => parseFeatures(payload)?.features ?? [])
}
