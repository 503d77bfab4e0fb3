import { defineConfig } from 'tsup'
import { buildEntries } from './scripts/entries.mjs'

export default defineConfig({
  entry: buildEntries(),
  format: ['esm', 'cjs'],
  target: 'node20',
  platform: 'node',
  splitting: true,
  shims: true,
  // Declarations take longest, and nothing that runs needs them: scripts/set-up.mjs builds without.
  dts: process.env.LIBCNM_BUILD !== 'js',
  sourcemap: true,
  clean: true,
})
