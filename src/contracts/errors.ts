/**
 * Every failure of libcnm is a {@link CnmError} with one of these codes. The codes are stable: programs may
 * match on them; messages may change. docs/errors.md says what each one means and what to do.
 */
export const ERROR_CODES = [
  // what the caller asked for
  'ERR_CNM_INVALID_ARGUMENT',
  'ERR_CNM_UNKNOWN_OPTION',
  'ERR_CNM_ABORTED',
  'ERR_CNM_CLOSED',
  'ERR_CNM_TIMEOUT',
  // the kernel
  'ERR_CNM_KERNEL',
  'ERR_CNM_NOT_PERMITTED',
  'ERR_CNM_NOT_SUPPORTED',
  'ERR_CNM_NAMESPACE_NOT_FOUND',
  'ERR_CNM_NAMESPACE_EXISTS',
  'ERR_CNM_LINK_EXISTS',
  'ERR_CNM_LINK_NOT_FOUND',
  'ERR_CNM_TRUNCATED',
  'ERR_CNM_THREAD_DIED',
  // what drivers describe
  'ERR_CNM_DESCRIPTION_CONFLICT',
  // networks, endpoints, sandboxes
  'ERR_CNM_NETWORK_EXISTS',
  'ERR_CNM_NETWORK_NOT_FOUND',
  'ERR_CNM_NETWORK_IN_USE',
  'ERR_CNM_ENDPOINT_EXISTS',
  'ERR_CNM_ENDPOINT_NOT_FOUND',
  'ERR_CNM_ENDPOINT_JOINED',
  'ERR_CNM_ENDPOINT_NOT_JOINED',
  'ERR_CNM_SANDBOX_EXISTS',
  'ERR_CNM_SANDBOX_NOT_FOUND',
  'ERR_CNM_INTERFACE_EXISTS',
  'ERR_CNM_NAME_NOT_FOUND',
  'ERR_CNM_AMBIGUOUS',
  'ERR_CNM_DRIVER_NOT_FOUND',
  'ERR_CNM_DRIVER_EXISTS',
  'ERR_CNM_DRIVER_FAILED',
  'ERR_CNM_INSTANCE_LOCKED',
  'ERR_CNM_RECORD_INVALID',
  // volumes
  'ERR_CNM_VOLUME_EXISTS',
  'ERR_CNM_VOLUME_NOT_FOUND',
  'ERR_CNM_VOLUME_IN_USE',
  'ERR_CNM_VOLUME_NOT_MOUNTED',
  'ERR_CNM_MOUNT_EXISTS',
  'ERR_CNM_ARCHIVE_REFUSED',
  // address management
  'ERR_CNM_POOL_OVERLAP',
  'ERR_CNM_POOL_NOT_FOUND',
  'ERR_CNM_POOLS_EXHAUSTED',
  'ERR_CNM_POOL_IN_USE',
  'ERR_CNM_ADDRESS_IN_USE',
  'ERR_CNM_ADDRESS_OUT_OF_RANGE',
  'ERR_CNM_ADDRESSES_EXHAUSTED',
  'ERR_CNM_ADDRESS_NOT_FOUND',
  // published ports
  'ERR_CNM_PORT_IN_USE',
  'ERR_CNM_PORTS_EXHAUSTED',
  'ERR_CNM_PORT_NOT_FOUND',
  // the store
  'ERR_CNM_STORE',
  'ERR_CNM_STORE_CONFLICT',
  'ERR_CNM_STORE_CORRUPT',
  // the cluster
  'ERR_CNM_CLUSTER_UNREACHABLE',
  'ERR_CNM_NODE_EXISTS',
  'ERR_CNM_NODE_NOT_FOUND',
  'ERR_CNM_NUMBER_IN_USE',
] as const

export type ErrorCode = (typeof ERROR_CODES)[number]

export interface CnmErrorDetails {
  /** The object that the failure is about, as the user knows it: "network front", "endpoint web". */
  object?: string
  /** The field of the input that was refused. */
  field?: string
  /** Kernel error number (positive, errno(3)). */
  errno?: number
  /** Name of the kernel error number: `EEXIST`. */
  errnoName?: string
  /** The operation that failed, in words near to the shell's: "link add br-1234 type bridge". */
  operation?: string
  /** Index of that operation in its transaction. */
  operationIndex?: number
  /** What the kernel said about it (NETLINK_EXT_ACK). */
  kernelText?: string
  cause?: unknown
}

const brand = Symbol.for('libcnm.CnmError')

/**
 * The one error class of libcnm. `instanceof` works across several loaded copies of the package
 * (ESM beside CommonJS, two versions in one tree), because it looks for a registered symbol.
 */
export class CnmError extends Error {
  readonly code: ErrorCode
  declare readonly object?: string
  declare readonly field?: string
  declare readonly errno?: number
  declare readonly errnoName?: string
  declare readonly operation?: string
  declare readonly operationIndex?: number
  declare readonly kernelText?: string

  constructor(code: ErrorCode, message: string, details: CnmErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = 'CnmError'
    this.code = code
    const { cause: _cause, ...fields } = details
    for (const [name, value] of Object.entries(fields)) if (value !== undefined) Object.assign(this, { [name]: value })
    Object.defineProperty(this, brand, { value: true })
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && brand in value
  }

  /** Plain data, as it travels between threads and into logs. */
  toJSON(): Record<string, unknown> {
    return { ...(this as object), name: this.name, message: this.message }
  }
}
