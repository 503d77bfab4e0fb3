import * as v from 'valibot'
import { CnmError } from '../../contracts/errors.js'

export interface EtcdOptions {
  /** `https://10.0.0.1:2379`; several of one cluster: the first that answers is used, the others when it fails. */
  endpoints: readonly string[]
  /** Needed for `https:` endpoints. */
  tls?: {
    /** Certificate authority of the servers, PEM. Default: those that Node.js trusts. */
    ca?: string | Buffer
    /** Certificate and key of this client, PEM. */
    cert?: string | Buffer
    key?: string | Buffer
    /** Name to check in the servers' certificates. Default: the host of the endpoint. */
    serverName?: string
  }
  /** Everything is kept under this prefix. Default `/libcnm/`. */
  prefix?: string
  /** Milliseconds that an operation may take before the cluster counts as unreachable. Default 5,000. */
  timeout?: number
}

const pem = v.optional(v.union([v.string(), v.instance(Buffer)]))
const fields = v.strictObject({
  endpoints: v.pipe(v.array(v.pipe(v.string(), v.regex(/^https?:\/\/[^/?#@\s]+\/?$/, 'expected http(s)://host:port'))), v.minLength(1)),
  tls: v.optional(v.strictObject({ ca: pem, cert: pem, key: pem, serverName: v.optional(v.string()) })),
  prefix: v.optional(v.pipe(v.string(), v.regex(/^\/(?:[\w.-]+\/)*$/, 'expected a path that ends with /'))),
  timeout: v.optional(v.pipe(v.number(), v.integer(), v.minValue(100), v.maxValue(600_000))),
})

/** @throws CnmError ERR_CNM_INVALID_ARGUMENT */
export function checkEtcdOptions(options: EtcdOptions): Required<Omit<EtcdOptions, 'tls'>> & Pick<EtcdOptions, 'tls'> {
  const result = v.safeParse(fields, options, { abortEarly: true })
  if (!result.success) {
    const [issue] = result.issues
    throw refused(v.getDotPath(issue) ?? 'options', issue.message)
  }
  const { endpoints, tls, prefix = '/libcnm/', timeout = 5000 } = options
  const kinds = new Set(endpoints.map((endpoint) => new URL(endpoint).protocol))
  if (kinds.size > 1) throw refused('endpoints', 'expected all of them with https, or none')
  if (tls !== undefined && kinds.has('http:')) throw refused('tls', 'the endpoints are http:')
  if ((tls?.cert === undefined) !== (tls?.key === undefined)) throw refused('tls', 'cert and key go together')
  return { endpoints: [...endpoints], tls, prefix, timeout }
}

const refused = (field: string, message: string): CnmError =>
  new CnmError('ERR_CNM_INVALID_ARGUMENT', `etcd: ${field}: ${message}`, { field })
