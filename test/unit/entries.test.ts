import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { buildEntries, documentedEntries, entries, packageExports } from '../../scripts/entries.mjs'
import { sourceFiles } from '../source-files.js'

const description = JSON.parse(readFileSync('package.json', 'utf8')) as { exports: unknown }

/** Every driver and adapter is public. */
function publicFolders(): string[] {
  return ['drivers', 'adapters'].filter(existsSync).flatMap((parent) =>
    readdirSync(parent, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && existsSync(`${parent}/${entry.name}/index.ts`))
      .map((entry) => `${parent}/${entry.name}/index.ts`),
  )
}

describe('entries of the package', () => {
  it('are the exports of package.json (node scripts/entries.mjs writes them)', () => {
    expect(description.exports).toEqual(packageExports())
  })

  it('are the entry points of typedoc.json', () => {
    expect((JSON.parse(readFileSync('typedoc.json', 'utf8')) as { entryPoints: unknown }).entryPoints).toEqual(documentedEntries())
  })

  it('have sources', () => {
    expect(Object.values(buildEntries()).filter((source) => !existsSync(source))).toEqual([])
  })

  it('include the file of every thread', () => {
    const code = sourceFiles('src', 'drivers', 'adapters')
      .map((file) => readFileSync(file, 'utf8'))
      .join('\n')
    const threads = [...code.matchAll(/'\.\/([a-z-]+-thread)\.cjs'/g)].map(([, name]) => name!)
    expect(threads).toContain('kernel-thread')
    expect(threads.filter((name) => !(name in entries.internal))).toEqual([])
  })

  it('include every driver and adapter', () => {
    const listed = Object.values(entries.public)
    expect(publicFolders().filter((source) => !listed.includes(source))).toEqual([])
  })
})
