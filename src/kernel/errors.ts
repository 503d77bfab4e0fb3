/** From what the kernel said to a {@link CnmError}: the one place that gives error numbers a code. */
import { constants } from 'node:os'
import { CnmError, type CnmErrorDetails, type ErrorCode } from '../contracts/errors.js'
import { errnoName, errnoText } from './errno.js'
import { NamespaceLost } from './namespace-lost.js'
import { SystemCallError } from './system-call-error.js'

const { EPERM, EACCES, EOPNOTSUPP, EPROTONOSUPPORT, EAFNOSUPPORT, ENOSYS, ENOPROTOOPT, EEXIST, ENODEV, ENOENT, ESRCH } = constants.errno
const { EADDRNOTAVAIL, ENXIO } = constants.errno
const ESOCKTNOSUPPORT = 94
const EPFNOSUPPORT = 96
const ENOTSUPP = 524

const NOT_PERMITTED = new Set([EPERM, EACCES])
const NOT_SUPPORTED = new Set([EOPNOTSUPP, EPROTONOSUPPORT, EAFNOSUPPORT, ENOSYS, ENOPROTOOPT, ESOCKTNOSUPPORT, EPFNOSUPPORT, ENOTSUPP])
const MISSING = new Set([ENOENT, ESRCH, ENODEV, ENXIO, EADDRNOTAVAIL])

/** What an error number is about: EEXIST means another thing for a link than for a route. */
export type Subject = 'link' | 'namespace' | 'mount' | 'socket' | 'other'

export interface Refusal {
  /** Positive error number. */
  errno: number
  /** NETLINK_EXT_ACK. */
  text?: string
  /** What was attempted, in words near to the shell's. */
  operation: string
  subject?: Subject
  operationIndex?: number
  cause?: unknown
}

export function kernelError({ errno, text, operation, subject = 'other', operationIndex, cause }: Refusal): CnmError {
  const details: CnmErrorDetails = { errno, errnoName: errnoName(errno), operation }
  if (text !== undefined) details.kernelText = text
  if (operationIndex !== undefined) details.operationIndex = operationIndex
  if (cause !== undefined) details.cause = cause
  return new CnmError(codeOf(errno, subject), `${operation}: ${text ?? errnoText(errno)} (${errnoName(errno)})`, details)
}

function codeOf(errno: number, subject: Subject): ErrorCode {
  if (NOT_PERMITTED.has(errno)) return 'ERR_CNM_NOT_PERMITTED'
  if (NOT_SUPPORTED.has(errno)) return 'ERR_CNM_NOT_SUPPORTED'
  if (subject === 'mount' && errno === ENODEV) return 'ERR_CNM_NOT_SUPPORTED'
  if (subject === 'link' && errno === EEXIST) return 'ERR_CNM_LINK_EXISTS'
  if (subject === 'namespace' && errno === EEXIST) return 'ERR_CNM_NAMESPACE_EXISTS'
  if (subject === 'namespace' && MISSING.has(errno)) return 'ERR_CNM_NAMESPACE_NOT_FOUND'
  if (errno === ENODEV && subject !== 'socket') return 'ERR_CNM_LINK_NOT_FOUND'
  return 'ERR_CNM_KERNEL'
}

/**
 * Whatever was thrown while `operation` was attempted, as a CnmError that names it.
 * @throws NamespaceLost as it is: nobody may go on after that
 */
export function asCnmError(error: unknown, operation: string, subject: Subject = 'other', operationIndex?: number): CnmError {
  if (error instanceof NamespaceLost) throw error
  if (error instanceof CnmError) return named(error, operation, operationIndex)
  const errno = errnoOf(error)
  if (errno !== undefined) return kernelError({ errno, text: textOf(error), operation, subject, operationIndex, cause: error })
  const message = error instanceof Error ? error.message : String(error)
  return new CnmError('ERR_CNM_KERNEL', `${operation}: ${message}`, { operation, operationIndex, cause: error })
}

function named(error: CnmError, operation: string, operationIndex?: number): CnmError {
  if (operationIndex === undefined || error.operationIndex !== undefined) return error
  const { code, message, cause, object, field, errno, errnoName: name, kernelText } = error
  const details = withoutAbsent({
    object,
    field,
    errno,
    errnoName: name,
    kernelText,
    cause,
    operation: error.operation ?? operation,
    operationIndex,
  })
  return new CnmError(code, error.operation === undefined ? `${operation}: ${message}` : message, details)
}

/** The error number in an error of ours, of Node's fs, or none. */
export function errnoOf(error: unknown): number | undefined {
  if (error instanceof SystemCallError || error instanceof CnmError) return error.errno
  // Node's own errors carry it negative.
  if (error instanceof Error && 'errno' in error && typeof error.errno === 'number') return Math.abs(error.errno)
  return undefined
}

/** Whether the error says that the object to be removed is not there. */
export function isMissing(error: unknown): boolean {
  if (error instanceof CnmError && (error.code === 'ERR_CNM_LINK_NOT_FOUND' || error.code === 'ERR_CNM_NAMESPACE_NOT_FOUND')) return true
  const errno = errnoOf(error)
  return errno !== undefined && MISSING.has(errno)
}

function textOf(error: unknown): string | undefined {
  return error instanceof Error && 'kernelText' in error && typeof error.kernelText === 'string' ? error.kernelText : undefined
}

export function withoutAbsent<T extends object>(fields: T): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T
}
