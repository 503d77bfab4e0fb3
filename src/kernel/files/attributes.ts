import koffi from 'koffi'
import { SystemCallError } from '../system-call-error.js'

/** Extended attributes of an open file, by name, with their values in base64. */
export type Attributes = [name: string, value: string][]

const libc = koffi.load(null)
type Call = (...args: unknown[]) => number
const flistxattr = libc.func('intptr_t flistxattr(int fd, _Out_ uint8_t *list, size_t size)') as Call
const fgetxattr = libc.func('intptr_t fgetxattr(int fd, const char *name, _Out_ uint8_t *value, size_t size)') as Call
const fsetxattr = libc.func('int fsetxattr(int fd, const char *name, const uint8_t *value, size_t size, int flags)') as Call

/** The kernel's own limits for the list and for one value. */
const LARGEST = 65536
const ENODATA = 61
const EOPNOTSUPP = 95

/** Empty where the file system has none. */
export function readAttributes(fd: number): Attributes {
  const buffer = new Uint8Array(LARGEST)
  const length = flistxattr(fd, buffer, buffer.length)
  if (length < 0) {
    if (koffi.errno() === EOPNOTSUPP) return []
    throw new SystemCallError('flistxattr', koffi.errno())
  }
  const names = Buffer.from(buffer.subarray(0, length)).toString('utf8').split('\0').slice(0, -1)
  return names.flatMap((name) => {
    const size = fgetxattr(fd, name, buffer, buffer.length)
    // Removed since it was listed.
    if (size < 0 && koffi.errno() === ENODATA) return []
    if (size < 0) throw new SystemCallError(`fgetxattr ${name}`, koffi.errno())
    return [[name, Buffer.from(buffer.subarray(0, size)).toString('base64')] as Attributes[number]]
  })
}

export function writeAttributes(fd: number, attributes: Attributes): void {
  for (const [name, value] of attributes) {
    const bytes = Buffer.from(value, 'base64')
    if (fsetxattr(fd, name, bytes, bytes.length, 0) !== 0) throw new SystemCallError(`fsetxattr ${name}`, koffi.errno())
  }
}
