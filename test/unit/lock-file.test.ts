import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

interface LockedPackage {
  resolved?: string
  optionalDependencies?: Record<string, string>
}

const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as { packages: Record<string, LockedPackage> }

describe('package-lock.json', () => {
  it('fetches from no place but the public registry', () => {
    const places = Object.values(packages).flatMap(({ resolved }) => (resolved === undefined ? [] : [new URL(resolved).origin]))
    expect(places.filter((origin) => origin !== 'https://registry.npmjs.org')).toEqual([])
  })

  it('has the packages for other platforms, without which npm ci refuses it (node scripts/complete-lock.mjs)', () => {
    const names = new Set(Object.keys(packages).map((path) => path.replace(/^.*node_modules\//, '')))
    const wanted = Object.values(packages).flatMap(({ optionalDependencies }) => Object.keys(optionalDependencies ?? {}))
    expect(wanted.length).toBeGreaterThan(50)
    expect(wanted.filter((name) => !names.has(name))).toEqual([])
  })
})
