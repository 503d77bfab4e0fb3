import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

// The VM emulates its processor.
const inVm = process.env.VM_RUN === '1'
const slow = inVm ? 20 : 1

export default defineConfig({
  test: {
    include: inVm ? ['test/vm/**/*.test.ts', 'test/kernel/**/*.test.ts'] : ['test/**/*.test.ts'],
    exclude: inVm ? ['node_modules/**'] : ['test/vm/**', 'node_modules/**'],
    // One process per file, each in namespaces of its own.
    pool: 'forks',
    execArgv: ['--require', fileURLToPath(new URL('test/own-world.cjs', import.meta.url))],
    maxWorkers: 2,
    testTimeout: 20_000 * slow,
    hookTimeout: 20_000 * slow,
    setupFiles: ['test/isolation.ts'],
    reporters: ['default', './test/reporter.ts'],
  },
})
