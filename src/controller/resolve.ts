import { CnmError } from '../contracts/errors.js'
import { abortable } from './core.js'
import type { OperationOptions } from './options.js'
import { withoutPrefix } from './pools.js'
import type { Sandbox } from './sandbox.js'

/** Addresses of a name as the sandbox knows it: its hosts file, then the names on its networks. */
export async function resolveIn(sandbox: Sandbox, name: string, { signal }: OperationOptions): Promise<string[]> {
  abortable(signal, `resolve ${name}`)
  const wanted = name.toLowerCase().replace(/\.$/, '')
  if (wanted === 'localhost' || wanted === sandbox.hostname.toLowerCase()) return ['127.0.0.1']
  const extra = Object.entries(sandbox.record.extraHosts).find(([host]) => host.toLowerCase() === wanted)
  if (extra !== undefined) return [extra[1]]
  const addresses = sandbox.endpoints.flatMap(({ network }) => network.addressesOf(wanted))
  if (addresses.length > 0) return addresses.map(withoutPrefix)
  throw new CnmError('ERR_CNM_NAME_NOT_FOUND', `sandbox ${sandbox.name}: no address for ${name}`, {
    object: `sandbox ${sandbox.name}`,
    field: 'host',
  })
}
