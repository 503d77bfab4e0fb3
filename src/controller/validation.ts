import * as v from 'valibot'
import { CnmError } from '../contracts/errors.js'
import { unknownOption } from '../contracts/options.js'
import type {
  EndpointChanges,
  EndpointOptions,
  NetworkChanges,
  NetworkOptions,
  PortOptions,
  SandboxChanges,
  SandboxOptions,
} from './options.js'

/** Input may come from plain JavaScript or from JSON: everything is checked before anything changes. */

const texts = v.record(v.string(), v.string())
const port = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65535))
const signal = v.optional(v.instance(AbortSignal))

const subnetFields = v.strictObject({
  subnet: v.optional(v.string()),
  gateway: v.optional(v.string()),
  range: v.optional(v.union([v.string(), v.array(v.string())])),
  reserved: v.optional(texts),
})

const gateway = v.string()
const routes = v.optional(
  v.array(
    v.strictObject({
      destination: v.string(),
      gateway: v.optional(gateway),
      nextHops: v.optional(
        v.array(v.strictObject({ gateway, weight: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(256))) })),
      ),
      metric: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0xffffffff))),
      type: v.optional(v.picklist(['unicast', 'blackhole', 'unreachable', 'prohibit'])),
    }),
  ),
)

const networkFields = v.strictObject({
  name: v.string(),
  driver: v.optional(v.string()),
  options: v.optional(texts),
  labels: v.optional(texts),
  ipam: v.optional(
    v.strictObject({ driver: v.optional(v.string()), options: v.optional(texts), pools: v.optional(v.array(subnetFields)) }),
  ),
  internal: v.optional(v.boolean()),
  attachable: v.optional(v.boolean()),
  enableIPv4: v.optional(v.boolean()),
  enableIPv6: v.optional(v.boolean()),
  configOnly: v.optional(v.boolean()),
  configFrom: v.optional(v.string()),
  dns: v.optional(v.array(v.pipe(v.string(), v.ip()))),
  dnsTtl: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0x7fffffff))),
  routes,
  signal,
})

const textChanges = v.optional(v.record(v.string(), v.nullable(v.string())))
const changeFields = v.strictObject({
  labels: textChanges,
  options: textChanges,
  dns: networkFields.entries.dns,
  dnsTtl: networkFields.entries.dnsTtl,
  routes,
  signal,
})

export const portFields = v.strictObject({
  container: port,
  containerEnd: v.optional(port),
  host: v.optional(port),
  hostEnd: v.optional(port),
  address: v.optional(v.union([v.string(), v.array(v.string())])),
  protocol: v.optional(v.picklist(['tcp', 'udp', 'sctp'])),
})

/** RFC 6335 (5.1). */
const SERVICE = /^(?=.{1,15}$)(?=.*[A-Za-z])[A-Za-z0-9](?:-?[A-Za-z0-9])*$/

const endpointFields = v.strictObject({
  name: v.string(),
  aliases: v.optional(v.array(v.string())),
  addresses: v.optional(v.array(v.pipe(v.string(), v.ip()))),
  linkLocalAddresses: v.optional(v.array(v.pipe(v.string(), v.ip()))),
  mac: v.optional(v.string()),
  interfaceName: v.optional(v.string()),
  gatewayPriority: v.optional(v.pipe(v.number(), v.safeInteger())),
  sysctls: v.optional(texts),
  routes,
  ports: v.optional(v.array(portFields)),
  services: v.optional(
    v.array(v.strictObject({ name: v.pipe(v.string(), v.regex(SERVICE)), port, protocol: v.optional(v.picklist(['tcp', 'udp', 'sctp'])) })),
  ),
  labels: v.optional(texts),
  options: v.optional(texts),
  signal,
})

const HOSTNAME = /^[a-zA-Z0-9]([a-zA-Z0-9-]{0,62})(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,62}))*$/

const sandboxFields = v.strictObject({
  name: v.string(),
  netns: v.optional(v.union([v.string(), v.strictObject({ pid: v.pipe(v.number(), v.integer(), v.minValue(1)) })])),
  hostname: v.optional(v.pipe(v.string(), v.maxLength(64), v.regex(HOSTNAME))),
  dns: v.optional(
    v.strictObject({
      servers: v.optional(v.array(v.string())),
      search: v.optional(v.array(v.pipe(v.string(), v.regex(/^[^\s]+$/)))),
      options: v.optional(v.array(v.pipe(v.string(), v.regex(/^[^\s]+$/)))),
    }),
  ),
  extraHosts: v.optional(texts),
  labels: v.optional(texts),
  signal,
})

const endpointChanges = v.strictObject({
  name: v.optional(v.string()),
  aliases: endpointFields.entries.aliases,
  services: endpointFields.entries.services,
  labels: textChanges,
})
const sandboxChanges = v.strictObject({
  name: v.optional(v.string()),
  dns: sandboxFields.entries.dns,
  extraHosts: textChanges,
  labels: textChanges,
})

export const validNetwork = (input: unknown): NetworkOptions => check(networkFields, input, 'network')
export const validNetworkChanges = (input: unknown): NetworkChanges => checkChanges(input)
export const validEndpoint = (input: unknown): EndpointOptions => check(endpointFields, input, 'endpoint')
export const validEndpointChanges = (input: unknown): EndpointChanges => check(endpointChanges, input, 'endpoint')
export const validSandboxChanges = (input: unknown): SandboxChanges => check(sandboxChanges, input, 'sandbox')
export const validPorts = (input: unknown): PortOptions[] => check(v.array(portFields), input, 'ports')
export const validSandbox = (input: unknown): SandboxOptions => check(sandboxFields, input, 'sandbox')

/** A field that a network has and that cannot change is no slip of the pen. */
function checkChanges(input: unknown): NetworkChanges {
  const fixed = Object.keys(input ?? {}).find((field) => field in networkFields.entries && !(field in changeFields.entries))
  if (fixed === undefined) return check(changeFields, input, 'network')
  throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `network: ${fixed} cannot change while the network exists`, { field: fixed })
}

/**
 * The input, if it fits the schema.
 * @throws CnmError ERR_CNM_INVALID_ARGUMENT with the field, ERR_CNM_UNKNOWN_OPTION with the nearest known one
 */
export function check<T>(schema: v.GenericSchema<unknown, T>, input: unknown, what: string): T {
  const result = v.safeParse(schema, input, { abortEarly: true })
  if (result.success) return result.output
  const issue = result.issues[0]
  const field = v.getDotPath(issue) ?? ''
  if (issue.type === 'strict_object' && issue.expected === 'never') throw unknownField(schema, field, what)
  throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `${what}: ${field === '' ? '' : `${field}: `}${issue.message}`, { field })
}

function unknownField(schema: unknown, field: string, what: string): CnmError {
  const entries = typeof schema === 'object' && schema !== null && 'entries' in schema ? Object.keys(schema.entries as object) : []
  return unknownOption(field, field.includes('.') ? [field] : entries, what)
}
