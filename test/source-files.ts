import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/** Paths of the TypeScript sources below these folders, without declarations. */
export function sourceFiles(...folders: string[]): string[] {
  return folders.filter(existsSync).flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
      .map((name) => join(folder, name)),
  )
}
