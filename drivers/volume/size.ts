import { CnmError } from '../../src/contracts/errors.js'
import { Folder, withFolder, type Kernel } from '../../src/kernel/index.js'

/** @throws CnmError ERR_CNM_NOT_SUPPORTED where the file system of the state directory cannot limit a folder */
export async function limitSize(kernel: Kernel, path: string, bytes: number): Promise<void> {
  const limited = await withFolder(Folder.open(path), ({ handle }) => kernel.files.limitFolder(handle.fd, bytes))
  if (limited) return
  const message = `size: the file system of ${path} has no project quota (mount option prjquota of ext4 and xfs); a volume of type tmpfs has a size everywhere`
  throw new CnmError('ERR_CNM_NOT_SUPPORTED', message, { field: 'options.size' })
}

export async function unlimitSize(kernel: Kernel, path: string): Promise<void> {
  await withFolder(Folder.open(path), ({ handle }) => kernel.files.unlimitFolder(handle.fd))
}
