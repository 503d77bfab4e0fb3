import * as v from 'valibot'
import type { AddressRequest } from '../../src/contracts/ipam-driver.js'
import { refused } from './prefix.js'

const fields = v.strictObject({
  pool: v.string(),
  owner: v.pipe(v.string(), v.minLength(1), v.maxLength(256)),
  purpose: v.picklist(['gateway', 'endpoint']),
  address: v.optional(v.string()),
  mac: v.optional(v.string()),
  name: v.optional(v.string()),
  options: v.optional(v.record(v.string(), v.string())),
})

/** @throws CnmError ERR_CNM_INVALID_ARGUMENT naming the field */
export function checkAddressRequest(request: AddressRequest): AddressRequest {
  const result = v.safeParse(fields, request)
  if (!result.success) throw refused(v.getDotPath(result.issues[0]) ?? 'request', result.issues[0].message)
  return result.output
}
