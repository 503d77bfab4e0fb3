import koffi from 'koffi'
import { SystemCallError } from '../system-call-error.js'

const mknod = koffi.load(null).func('int mknod(const uint8_t *path, uint32_t mode, uint64_t device)') as (...args: unknown[]) => number

/** A FIFO or a device, at a path whose bytes are in base64: not every name is text. */
export function makeNode(path: string, mode: number, device: number): void {
  if (mknod(Buffer.concat([Buffer.from(path, 'base64'), Buffer.of(0)]), mode, device) !== 0)
    throw new SystemCallError('mknod', koffi.errno())
}
