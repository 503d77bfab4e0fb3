import { CnmError } from '../contracts/errors.js'

/**
 * Refuses two drivers of one name among those that a program passes: which of them a network gets would depend on
 * their order.
 * @throws CnmError ERR_CNM_DRIVER_EXISTS
 */
export function checkDistinct(
  drivers: readonly { readonly name: string }[] | undefined,
  field: 'drivers' | 'volumeDrivers' | 'ipam',
): void {
  const names = new Set<string>()
  for (const { name } of drivers ?? []) {
    if (names.has(name)) throw new CnmError('ERR_CNM_DRIVER_EXISTS', `${field}: two drivers are named ${name}`, { field })
    names.add(name)
  }
}
