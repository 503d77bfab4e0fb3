import { CnmError } from '../../contracts/errors.js'

const HIDDEN = '***'
/** How deep causes are followed; an error can be its own cause. */
const DEEPEST = 5

/** The same text without these in it. */
export const hidden = (text: string, secrets: readonly string[]): string =>
  secrets.reduce((rest, secret) => rest.replaceAll(secret, HIDDEN), text)

/** The same error without these texts in any of its words. */
export function redacted(error: unknown, secrets: readonly string[], depth = 0): unknown {
  if (secrets.length === 0 || !(error instanceof Error)) return error
  const hide = <T extends string | undefined>(text: T): T => (text === undefined ? text : hidden(text, secrets)) as T
  const cause = error.cause === undefined || depth === DEEPEST ? undefined : redacted(error.cause, secrets, depth + 1)
  if (!(error instanceof CnmError)) return new Error(hide(error.message), { cause })
  const { object, field, errno, errnoName, operation, operationIndex, kernelText } = error
  return new CnmError(error.code, hide(error.message), {
    object: hide(object),
    field,
    errno,
    errnoName,
    operation: hide(operation),
    operationIndex,
    kernelText: hide(kernelText),
    cause,
  })
}
