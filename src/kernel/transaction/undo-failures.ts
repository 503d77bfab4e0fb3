import { CnmError } from '../../contracts/errors.js'
import { withoutAbsent } from '../errors.js'

/** The same error, saying that not everything could be undone. */
export function withUndoFailures(error: CnmError, failures: readonly CnmError[]): CnmError {
  if (failures.length === 0) return error
  const what = failures.map(({ message }) => message).join('; ')
  return new CnmError(error.code, `${error.message}; not everything could be undone: ${what}`, {
    ...fieldsOf(error),
    cause: new AggregateError(failures, 'undo failed'),
  })
}

export function fieldsOf(error: CnmError): Omit<CnmError, keyof Error | 'code' | 'toJSON'> {
  const { object, field, errno, errnoName, operation, operationIndex, kernelText } = error
  return withoutAbsent({ object, field, errno, errnoName, operation, operationIndex, kernelText })
}
