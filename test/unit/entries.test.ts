import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { buildEntries, entries, packageExports } from '../../scripts/entries.mjs'

const description = JSON.parse(readFileSync('package.json', 'utf8')) as { exports: unknown }

/** Every driver and adapter is public. */
function publicFolders(): string[] {
  return ['drivers', 'adapters'].flatMap((parent) =>
    readdirSync(parent, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && existsSync(`${parent}/${entry.name}/index.ts`))
      .map((entry) => `${parent}/${entry.name}/index.ts`),
  )
}

describe('entries of the package', () => {
  it('are the exports of package.json (node scripts/entries.mjs writes them)', () => {
    expect(description.exports).toEqual(packageExports())
  })

  it('have sources', () => {
    expect(Object.values(buildEntries()).filter((source) => !existsSync(source))).toEqual([])
  })

  it('include every driver and adapter', () => {
    const listed = Object.values(entries.public)
    expect(publicFolders().filter((source) => !listed.includes(source))).toEqual([])
  })
})
