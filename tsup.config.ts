import { defineConfig } from 'tsup'

// Every entry is flat in dist/, so that the kernel thread's file is always beside the chunk that starts it.
export default defineConfig({
  entry: {
    index: 'src/index.ts',
    contracts: 'src/contracts/index.ts',
    kernel: 'src/kernel/index.ts',
    'kernel-thread': 'src/kernel/thread.ts',
  },
  format: ['esm', 'cjs'],
  target: 'node20',
  platform: 'node',
  splitting: true,
  shims: true,
  dts: process.env.LIBCNM_BUILD !== 'js',
  sourcemap: true,
  clean: true,
})
