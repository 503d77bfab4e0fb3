import { Folder, withFolder, type Kernel } from '../../src/kernel/index.js'
import type { LocalOptions } from './options.js'

/** Owner, mode and security label of the top folder, as far as they were asked for. */
export async function setAppearance(kernel: Kernel, path: string, { owner, mode, label }: LocalOptions): Promise<void> {
  if (owner === undefined && mode === undefined && label === undefined) return
  await withFolder(Folder.open(path), async ({ handle }) => {
    if (owner !== undefined) await handle.chown(owner.uid, owner.gid)
    // Changing the owner takes set-user-id bits away.
    if (mode !== undefined) await handle.chmod(mode)
    if (label !== undefined)
      await kernel.files.setAttributes(handle.fd, [['security.selinux', Buffer.from(`${label}\0`).toString('base64')]])
  })
}
