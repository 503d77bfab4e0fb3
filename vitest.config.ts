import { defineConfig } from 'vitest/config'

const slow = process.env.VM_RUN === '1' ? 20 : 1

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/vm/**', 'node_modules/**'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 20_000 * slow,
    hookTimeout: 20_000 * slow,
  },
})
