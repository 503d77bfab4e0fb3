import { isIP } from 'node:net'
import * as v from 'valibot'
import { CnmError } from '../../contracts/errors.js'
import type { NetworkRecord } from '../../contracts/records.js'
import type { StoreEntry } from '../../contracts/store.js'
import { readRecord } from '../schema.js'

/**
 * What the store of a cluster keeps beside the pools and addresses of the address manager. Small records, each written by
 * one host at a time, and laid out so that a host watches what it has joined and nothing else:
 *
 *     network/<id>                      a network of scope `global`
 *     network-name/<name>               the id of the network that has the name
 *     number/<kind>/<number>            the id of the network that has the number (a VNI)
 *     endpoint/<network>/<id>           an endpoint; watched by hosts on which something has joined the network
 *     endpoint-name/<network>/<name>    the id of the endpoint that has the name
 *     node/<name>                       a host
 *     alive/<name>                      there while the host is in touch: held by a lease
 *     node-endpoint/<node>/<id>         the network of each endpoint of a host, so that a host finds its own
 */
export const NETWORKS = 'network/'
export const NODES = 'node/'
export const ALIVE = 'alive/'

export const networkKey = (id: string): string => NETWORKS + id
export const networkNameKey = (name: string): string => `network-name/${name}`
export const numberKey = (kind: string, number: number): string => `number/${kind}/${number}`
export const endpointsKey = (network: string): string => `endpoint/${network}/`
export const endpointKey = (network: string, id: string): string => endpointsKey(network) + id
export const endpointNameKey = (network: string, name: string): string => `endpoint-name/${network}/${name}`
export const nodeKey = (name: string): string => NODES + name
export const aliveKey = (name: string): string => ALIVE + name
export const ownedKey = (node: string): string => `node-endpoint/${node}/`

export const lastPart = (key: string): string => key.slice(key.lastIndexOf('/') + 1)

const family = v.picklist([4, 6])
const withPrefix = v.pipe(
  v.string(),
  v.check((text) => isIP(text.split('/')[0]!) !== 0 && /^[^/]+\/\d{1,3}$/.test(text), 'expected an address with its prefix length'),
)

const nodeSchema = v.strictObject({
  version: v.literal(1),
  /** Of the instance, in its own store: another host with the name is another one. */
  id: v.string(),
  address: v.pipe(
    v.string(),
    v.check((text) => isIP(text) !== 0, 'expected an address'),
  ),
  /** Its controller was closed in order; what it made stays. */
  closed: v.boolean(),
})
export type NodeRecord = v.InferOutput<typeof nodeSchema>

const peerSchema = v.strictObject({
  version: v.literal(1),
  node: v.string(),
  name: v.string(),
  mac: v.pipe(v.string(), v.regex(/^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/)),
  addresses: v.array(v.strictObject({ address: withPrefix, family })),
  joined: v.boolean(),
  /** Under which others find it. */
  names: v.array(v.string()),
  services: v.array(v.strictObject({ name: v.string(), protocol: v.picklist(['tcp', 'udp', 'sctp']), port: v.number() })),
})
export type PeerRecord = v.InferOutput<typeof peerSchema>

const definitionSchema = v.strictObject({
  version: v.literal(1),
  record: v.looseObject({}),
  /** The host that is removing it. */
  deleting: v.optional(v.string()),
})
export interface Definition {
  record: NetworkRecord
  deleting?: string
}

/** @throws CnmError ERR_CNM_RECORD_INVALID naming the record */
export const readNode = (entry: StoreEntry): NodeRecord => readClusterRecord(nodeSchema, entry)
/** @throws CnmError ERR_CNM_RECORD_INVALID naming the record */
export const readPeer = (entry: StoreEntry): PeerRecord => readClusterRecord(peerSchema, entry)
/** @throws CnmError ERR_CNM_RECORD_INVALID naming the record */
export function readDefinition(entry: StoreEntry): Definition {
  const { record, deleting } = readClusterRecord(definitionSchema, entry)
  return { record: readRecord('network', { ...entry, value: record as never }), ...(deleting !== undefined && { deleting }) }
}

export function readClusterRecord<T>(schema: v.GenericSchema<unknown, T>, { key, value }: StoreEntry): T {
  const result = v.safeParse(schema, value, { abortEarly: true })
  if (result.success) return result.output
  const [issue] = result.issues
  throw new CnmError('ERR_CNM_RECORD_INVALID', `cluster record ${key}: ${v.getDotPath(issue) ?? 'value'}: ${issue.message}`, {
    object: key,
  })
}
