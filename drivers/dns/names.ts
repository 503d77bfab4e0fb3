import { CnmError } from '../../src/contracts/errors.js'
import { MAX_LABEL, MAX_NAME } from './wire/constants.js'

/**
 * Checks a name before it gets into an index: labels of 1 to 63 letters, digits, `-` and `_`, each beginning with a
 * letter, digit or `_`; up to 253 characters in all; no trailing dot. That is what RFC 1123 (2.1) allows, with the
 * underscores and trailing hyphens that names of containers have.
 * @param field how the caller calls the value, for the error: `aliases[0]`
 * @returns the name
 * @throws CnmError ERR_CNM_INVALID_ARGUMENT
 */
export function checkDnsName(name: string, field: string): string {
  const why = whatIsWrong(name)
  if (why !== undefined) {
    throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `${field}: ${JSON.stringify(name)} is no usable DNS name: ${why}`, { field })
  }
  return name
}

function whatIsWrong(name: string): string | undefined {
  if (name === '') return 'it is empty'
  // Two bytes of the wire form are not in the text: the first length and the final zero.
  if (name.length > MAX_NAME - 2) return `it has ${name.length} characters, more than ${MAX_NAME - 2}`
  for (const label of name.split('.')) {
    if (label === '') return 'it has an empty label'
    if (label.length > MAX_LABEL) return `its label ${JSON.stringify(label)} has ${label.length} characters, more than ${MAX_LABEL}`
    if (!/^[A-Za-z0-9_][A-Za-z0-9_-]*$/.test(label))
      return `its label ${JSON.stringify(label)} has other characters than letters, digits, "-" and "_", or begins with "-"`
  }
  if (/^\d+\.\d+\.\d+\.\d+$/.test(name)) return 'it reads as an address'
  return undefined
}

/** `http` of a named port: RFC 6335 (5.1), 1 to 15 letters, digits and hyphens with at least one letter. @throws CnmError ERR_CNM_INVALID_ARGUMENT */
export function checkServiceName(name: string, field: string): string {
  if (/^(?=.*[A-Za-z])[A-Za-z0-9](?:-?[A-Za-z0-9]){0,14}$/.test(name) && name.length <= 15) return name
  throw new CnmError(
    'ERR_CNM_INVALID_ARGUMENT',
    `${field}: ${JSON.stringify(name)} is no service name (1 to 15 letters, digits and single hyphens)`,
    { field },
  )
}
