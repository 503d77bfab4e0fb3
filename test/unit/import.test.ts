import { spawnSync } from 'node:child_process'
import { expect, it } from 'vitest'

/** Loads the package, and says which modules of others came along. */
const PROGRAM = `
  import { createRequire } from 'node:module'
  await import('libcnm')
  const { cache } = createRequire(import.meta.url)
  console.log(JSON.stringify({ commonJs: Object.keys(cache), node: process.moduleLoadList.map((name) => name.split(' ')[1]) }))`

// dns-packet alone takes 8 MB and half of the time; undici, lmdb and koffi 10 to 100 ms each.
it('importing the package loads nothing heavy: that comes with its first use', () => {
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', PROGRAM], { encoding: 'utf8' })
  expect(stderr).toBe('')
  const loaded = JSON.parse(stdout) as { commonJs: string[]; node: string[] }
  const packages = loaded.commonJs.map((path) => /node_modules\/([^/]+)/.exec(path)?.[1])
  expect([...new Set(packages)].sort()).toEqual(['eventemitter3', 'ip-address'])
  expect(loaded.node).toContain('fs')
  expect(loaded.node.filter((name) => ['tls', 'http', 'http2', 'https'].includes(name))).toEqual([])
})
