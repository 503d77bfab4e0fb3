// Puts a link in place of a folder and the folder back, as fast as it can: folder, place for it meanwhile, where to link.
import { renameSync, symlinkSync, unlinkSync, writeSync } from 'node:fs'

const [folder, away, outside] = process.argv.slice(2)
writeSync(1, 'swapping\n')
for (;;) {
  try {
    renameSync(folder, away)
    symlinkSync(outside, folder)
    unlinkSync(folder)
    renameSync(away, folder)
  } catch {
    // Removed by somebody else: there is nothing left to swap.
    break
  }
}
