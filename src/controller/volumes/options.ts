import * as v from 'valibot'
import type { OperationOptions } from '../options.js'
import { check } from '../validation.js'

export interface VolumeOptions {
  /** Letters, digits, `_.-`. Default: an anonymous volume, named by its id, which `prune` removes when nobody uses it. */
  name?: string
  /** Default `local`. */
  driver?: string
  /** Options of the driver under the names users know; an unknown one is refused. */
  options?: Record<string, string>
  labels?: Record<string, string>
  /** `single-writer`: one consumer at a time may write, on whatever host. Default `shared`. */
  accessMode?: 'shared' | 'single-writer'
  signal?: AbortSignal
}

export interface VolumeMountOptions extends OperationOptions {
  /** `when-busy`: only if somebody else has the write lease. Default: false, and true for a snapshot. */
  readOnly?: boolean | 'when-busy'
  /**
   * Takes the write lease from a consumer on another host that counts as down in the cluster. It may merely be cut off:
   * make sure that nothing writes there.
   */
  takeOver?: 'when-down'
}

export interface VolumeUnmountOptions extends OperationOptions {
  /** Of a consumer that has mounted it both ways: which one ends. Default: the writing one. */
  readOnly?: boolean
  /** All mounts of this consumer at once, also a write lease that it holds on another host: make sure that that host is off. */
  all?: boolean
}

const texts = v.record(v.string(), v.string())
const signal = v.optional(v.instance(AbortSignal))

const volumeFields = v.strictObject({
  name: v.optional(v.string()),
  driver: v.optional(v.string()),
  options: v.optional(texts),
  labels: v.optional(texts),
  accessMode: v.optional(v.picklist(['shared', 'single-writer'])),
  signal,
})
const mountFields = v.strictObject({
  readOnly: v.optional(v.union([v.boolean(), v.literal('when-busy')])),
  takeOver: v.optional(v.literal('when-down')),
  signal,
})
const unmountFields = v.strictObject({ readOnly: v.optional(v.boolean()), all: v.optional(v.boolean()), signal })
const consumerField = v.pipe(
  v.string(),
  v.minLength(1),
  v.maxBytes(128),
  v.regex(/^[^\0-\x1f\x7f]+$/),
  v.check((text) => !/^(cnm|sandbox):/.test(text), 'these names are for sandboxes and copies'),
  v.check((text) => Buffer.from(text).toString() === text),
)

export const validVolume = (input: unknown): VolumeOptions => check(volumeFields, input, 'volume')
export const validMount = (input: unknown): VolumeMountOptions => check(mountFields, input, 'mount of a volume')
export const validUnmount = (input: unknown): VolumeUnmountOptions => check(unmountFields, input, 'unmount of a volume')
export const validConsumer = (input: unknown): string => check(consumerField, input, 'consumer')
