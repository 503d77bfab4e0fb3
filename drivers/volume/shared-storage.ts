import { parseMountWords, valueOf } from './mount-words.js'
import type { LocalOptions } from './options.js'

/** File systems that several hosts mount at once, by the name that the kernel has for each. */
const SHARED: Readonly<Record<string, string>> = {
  ...{ nfs: 'nfs', nfs4: 'nfs', cifs: 'cifs', smb3: 'cifs', ceph: 'ceph', '9p': '9p', lustre: 'lustre', afs: 'afs' },
  ...{ gfs2: 'gfs2', ocfs2: 'ocfs2' },
}
/** `//user:password@server/share`: who asks is no part of what is asked for. */
const USER = /^([/\\]{2})[^/\\@]*@/

/** What all hosts call the same data: the server, if the device does not name it, and the device. */
export function sharedStorage({ type = '', device = '', o = '' }: LocalOptions): string | undefined {
  const kind = SHARED[type]
  if (kind === undefined) return undefined
  const named = device.replace(USER, '$1').replace(/\/+$/, '')
  const server = named.startsWith(':') ? (valueOf(parseMountWords(o).rest, 'addr') ?? '') : ''
  return `${kind} ${server}${named}`
}
