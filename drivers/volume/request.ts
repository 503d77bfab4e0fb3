import type { MountRequest } from '../../src/kernel/index.js'
import { parseMountWords } from './mount-words.js'
import type { LocalOptions } from './options.js'
import { withServerAddress } from './server-address.js'

/** What the kernel has to mount for these options; nothing for a volume that is just a folder. */
export async function mountRequest(options: LocalOptions, target: string): Promise<MountRequest | undefined> {
  const { type, device } = options
  if (type === undefined || device === undefined) return undefined
  const { flags, propagation, bind, rest } = parseMountWords(options.o ?? '')
  if (bind !== undefined) return { source: { bind: device, recursive: bind === 'rbind' }, target, flags, propagation }
  const own = await withServerAddress(type, device, rest)
  if (type === 'tmpfs' && options.size !== undefined) own.push(`size=${options.size}`)
  if (options.label !== undefined) own.push(`context=${options.label}`)
  return { source: { type, device, options: own }, target, flags, propagation }
}

/** Whether mounting it may wait for somebody: a server, a disk. */
export const mayWait = ({ source }: MountRequest): boolean => !('bind' in source) && source.type !== 'tmpfs'
