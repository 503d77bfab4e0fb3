import { createHash } from 'node:crypto'
import { accessSync, constants, mkdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

// The VM emulates its processor.
const inVm = process.env.VM_RUN === '1'
const slow = inVm ? 10 : 1

/**
 * Compiled test and source files. The VM reads what was compiled outside; there it would take most of the time. A folder
 * for each state of the dependencies: vitest removes one that fits others, under the feet of runs that use it.
 */
const dependencies = createHash('sha1')
  .update(readFileSync(new URL('node_modules/.package-lock.json', import.meta.url)))
  .digest('hex')
const compiled = fileURLToPath(new URL(`.cache/vitest-${dependencies.slice(0, 12)}`, import.meta.url))

/** The checkout may be somebody else's. */
function canWrite(folder: string): boolean {
  try {
    mkdirSync(folder, { recursive: true })
    accessSync(folder, constants.W_OK)
    return true
  } catch {
    return false
  }
}

export default defineConfig({
  test: {
    include: inVm ? ['test/vm/**/*.test.ts', 'test/kernel/**/*.test.ts'] : ['test/**/*.test.ts'],
    exclude: inVm ? ['node_modules/**'] : ['test/vm/**', 'node_modules/**'],
    // One process per file, each in namespaces of its own.
    pool: 'forks',
    execArgv: ['--require', fileURLToPath(new URL('test/own-world.cjs', import.meta.url))],
    // Tests wait more than they work.
    maxWorkers: 3,
    // For tests that hang: they wait for events, and a loaded machine takes its time.
    testTimeout: 60_000 * slow,
    hookTimeout: 60_000 * slow,
    expect: { poll: { timeout: 20_000 * slow } },
    setupFiles: ['test/isolation.ts'],
    reporters: ['default', './test/reporter.ts'],
    experimental: { fsModuleCache: canWrite(compiled), fsModuleCachePath: compiled },
  },
})
