/** Errors as JSON, so that they cross from the kernel thread with their code and their causes. */
import { CnmError, type CnmErrorDetails, type ErrorCode } from '../contracts/errors.js'

export interface WireError {
  message: string
  /** Absent: not an error of ours. */
  code?: ErrorCode
  details?: CnmErrorDetails
  cause?: WireError
  /** The failures of an AggregateError. */
  errors?: WireError[]
}

/** How deep causes are followed; an error can be its own cause. */
const DEEPEST = 5

export function toWire(error: unknown, depth = 0): WireError {
  if (!(error instanceof Error)) return { message: String(error) }
  const wire: WireError = { message: error.message }
  if (error instanceof CnmError) {
    const { object, field, errno, errnoName, operation, operationIndex, kernelText } = error
    wire.code = error.code
    wire.details = { object, field, errno, errnoName, operation, operationIndex, kernelText }
  }
  if (depth === DEEPEST) return wire
  if (error.cause !== undefined) wire.cause = toWire(error.cause, depth + 1)
  if (error instanceof AggregateError) wire.errors = error.errors.map((each) => toWire(each, depth + 1))
  return wire
}

export function fromWire({ message, code, details, cause, errors }: WireError): Error {
  const reason = cause === undefined ? undefined : fromWire(cause)
  if (code !== undefined) return new CnmError(code, message, reason === undefined ? details : { ...details, cause: reason })
  if (errors !== undefined) return new AggregateError(errors.map(fromWire), message)
  return new Error(message, reason === undefined ? undefined : { cause: reason })
}
