import { lookup } from 'node:dns/promises'
import { CnmError } from '../contracts/errors.js'
import { abortable } from './core.js'
import type { OperationOptions } from './options.js'
import type { Sandbox } from './sandbox.js'

/** Addresses of a name as programs in the sandbox get them: its hosts file first, then its resolver. */
export async function resolveIn(sandbox: Sandbox, name: string, { signal }: OperationOptions): Promise<string[]> {
  abortable(signal, `resolve ${name}`)
  const wanted = name.toLowerCase().replace(/\.$/, '')
  if (wanted === 'localhost' || wanted === sandbox.hostname.toLowerCase()) return ['127.0.0.1']
  const extra = Object.entries(sandbox.record.extraHosts).find(([host]) => host.toLowerCase() === wanted)
  if (extra !== undefined) return [extra[1]]
  const addresses = await ask(sandbox, wanted, signal)
  if (addresses.length > 0) return addresses
  throw new CnmError('ERR_CNM_NAME_NOT_FOUND', `sandbox ${sandbox.name}: no address for ${name}`, {
    object: `sandbox ${sandbox.name}`,
    field: 'host',
  })
}

async function ask(sandbox: Sandbox, name: string, signal?: AbortSignal): Promise<string[]> {
  if (sandbox.record.resolver !== undefined) {
    // Its codec is half of what importing the package would take.
    const { askResolver } = await import('./stub-resolver.js')
    return askResolver(sandbox, name, signal)
  }
  if (sandbox.record.namespace !== 'host') return []
  const found = await lookup(name, { all: true }).catch(() => [])
  return found.map(({ address }) => address)
}
