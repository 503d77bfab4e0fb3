import { Folder, withFolder } from './folder.js'

const BLOCK = 512

/** Bytes that a folder and everything below it take on the disk; a file with several names counts once. */
export async function measure(path: string, signal?: AbortSignal): Promise<number> {
  const seen = new Set<string>()
  const add = async (folder: Folder): Promise<number> => {
    let bytes = 0
    for (const name of await folder.names()) {
      signal?.throwIfAborted()
      const stat = await folder.stat(name).catch(ignoreMissing)
      if (stat === undefined) continue
      if (stat.nlink > 1 && !stat.isDirectory()) {
        const key = `${stat.dev}:${stat.ino}`
        if (seen.has(key)) continue
        seen.add(key)
      }
      bytes += stat.blocks * BLOCK
      if (stat.isDirectory()) bytes += (await withFolder(folder.folder(name), add).catch(ignoreMissing)) ?? 0
    }
    return bytes
  }
  return withFolder(Folder.open(path), add)
}

/** What somebody removes or replaces while we look does not count. */
function ignoreMissing(error: unknown): undefined {
  if (!['ENOENT', 'ENOTDIR', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
}
