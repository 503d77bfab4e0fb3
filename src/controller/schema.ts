import * as v from 'valibot'
import { CnmError } from '../contracts/errors.js'
import type { AnyRecord } from '../contracts/records.js'
import type { VolumeRecords } from '../contracts/volume-records.js'
import type { StoreEntry } from '../contracts/store.js'

/** What records look like, by kind and version. A record of an older version is brought up to date by its migration. */

const texts = v.record(v.string(), v.string())
const family = v.picklist([4, 6])
const phase = v.picklist(['creating', 'joining', 'ready', 'leaving', 'deleting'])
const id = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/))
const head = {
  version: v.literal(1),
  id,
  name: v.string(),
  created: v.string(),
  phase,
  labels: texts,
}
const ports = v.strictObject({ udp: v.number(), tcp: v.number() })
const objects = v.array(v.looseObject({ kind: v.string() }))
const state = v.optional(v.any())
const routes = v.optional(v.array(v.looseObject({ destination: v.string() })))
const useOfVolume = v.picklist(['mounting', 'ready', 'unmounting'])

const SCHEMAS = {
  network: v.strictObject({
    kind: v.literal('network'),
    ...head,
    driver: v.string(),
    internal: v.boolean(),
    attachable: v.boolean(),
    ipv4: v.boolean(),
    ipv6: v.boolean(),
    configOnly: v.boolean(),
    configFrom: v.optional(v.string()),
    options: texts,
    ipamDriver: v.string(),
    ipamOptions: texts,
    pools: v.array(
      v.strictObject({
        id: v.string(),
        family,
        subnet: v.string(),
        gateway: v.optional(v.string()),
        gatewayAllocated: v.optional(v.boolean()),
        ranges: v.array(v.string()),
        reserved: texts,
      }),
    ),
    dns: v.array(v.string()),
    dnsTtl: v.optional(v.number()),
    routes,
    template: state,
    state,
    numbers: v.optional(v.record(v.string(), v.array(v.number()))),
    gateway: v.optional(v.boolean()),
    description: objects,
    previous: v.optional(objects),
  }),
  part: v.strictObject({
    kind: v.literal('part'),
    version: v.literal(1),
    network: id,
    name: v.string(),
    description: objects,
    previous: v.optional(objects),
  }),
  endpoint: v.strictObject({
    kind: v.literal('endpoint'),
    ...head,
    network: v.string(),
    sandbox: v.optional(v.string()),
    aliases: v.array(v.string()),
    options: texts,
    addresses: v.array(
      v.strictObject({ pool: v.string(), address: v.string(), family, gateway: v.optional(v.string()), static: v.boolean() }),
    ),
    leases: v.optional(
      v.array(
        v.strictObject({
          pool: v.string(),
          family,
          static: v.boolean(),
          address: v.string(),
          gateway: v.optional(v.string()),
          expires: v.optional(v.number()),
          data: v.optional(texts),
        }),
      ),
    ),
    linkLocal: v.array(v.string()),
    mac: v.string(),
    wantedInterfaceName: v.optional(v.string()),
    interfaceName: v.optional(v.string()),
    gatewayPriority: v.number(),
    sysctls: texts,
    routes,
    wantedPorts: v.array(v.looseObject({ container: v.number() })),
    services: v.optional(v.array(v.looseObject({ name: v.string(), port: v.number() }))),
    ports: v.array(v.looseObject({ protocol: v.string(), hostPort: v.number(), containerPort: v.number() })),
    state,
    description: objects,
    gateways: objects,
    previous: v.optional(objects),
  }),
  sandbox: v.strictObject({
    kind: v.literal('sandbox'),
    ...head,
    namespace: v.string(),
    owned: v.boolean(),
    lost: v.optional(v.boolean()),
    hostname: v.string(),
    hostnameGiven: v.optional(v.boolean()),
    dns: v.strictObject({ servers: v.array(v.string()), search: v.array(v.string()), options: v.array(v.string()) }),
    extraHosts: texts,
    resolver: v.optional(v.looseObject({ ipv4: ports, ipv6: v.optional(ports) })),
    mounts: v.optional(
      v.array(
        v.strictObject({
          target: v.string(),
          phase: useOfVolume,
          source: v.union([
            v.strictObject({ volume: v.string(), subpath: v.optional(v.string()) }),
            v.strictObject({ bind: v.string(), recursive: v.boolean() }),
            v.strictObject({ tmpfs: v.array(v.string()) }),
          ]),
          readOnly: v.boolean(),
          propagation: v.picklist(['private', 'slave', 'shared', 'rprivate', 'rslave', 'rshared']),
        }),
      ),
    ),
  }),
  volume: v.strictObject({
    kind: v.literal('volume'),
    ...head,
    driver: v.string(),
    options: texts,
    accessMode: v.picklist(['shared', 'single-writer']),
    readOnly: v.boolean(),
    content: v.picklist(['new', 'filling', 'used']),
    state,
  }),
  'volume-lease': v.strictObject({
    kind: v.literal('volume-lease'),
    version: v.literal(1),
    volume: v.string(),
    consumer: v.string(),
    phase: useOfVolume,
    since: v.string(),
    writes: v.number(),
    reads: v.number(),
  }),
  'volume-writer': v.strictObject({
    kind: v.literal('volume-writer'),
    version: v.literal(1),
    volume: v.string(),
    node: v.string(),
    instance: v.string(),
    consumer: v.string(),
    since: v.string(),
  }),
} as const

/** Every kind of record, with those that are no objects of the engine. */
export type Records = AnyRecord & VolumeRecords

type Migration = (record: Record<string, unknown>) => Record<string, unknown>

/** From which version to the next one. */
const MIGRATIONS: Readonly<Record<keyof Records, Readonly<Record<number, Migration>>>> = {
  network: {},
  endpoint: {},
  sandbox: {},
  part: {},
  volume: {},
  'volume-lease': {},
  'volume-writer': {},
}

/**
 * The record in a store entry, in the present version.
 * @throws CnmError ERR_CNM_RECORD_INVALID saying which field of which record is wrong
 */
export function readRecord<K extends keyof Records>(kind: K, entry: StoreEntry): Records[K] {
  let value = entry.value as Record<string, unknown>
  for (let migrate; (migrate = MIGRATIONS[kind][Number(value?.version)]) !== undefined;) value = migrate(value)
  const result = v.safeParse(SCHEMAS[kind], value, { abortEarly: true })
  if (result.success) return value as unknown as Records[K]
  const [issue] = result.issues
  const field = v.getDotPath(issue) ?? ''
  throw new CnmError('ERR_CNM_RECORD_INVALID', `store: record ${entry.key}: ${field}: ${issue.message}`, { object: entry.key, field })
}
