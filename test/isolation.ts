import { readlinkSync } from 'node:fs'
import { relative } from 'node:path'
import { expect } from 'vitest'

/** The folders whose tests change kernel objects. */
const CHANGES_KERNEL = /^test\/(kernel|vm|package)\//

/**
 * Keeps tests from changing the machine that they run on: those that touch the kernel refuse to run in the network
 * namespace that the machine started with.
 */
const file = relative(process.cwd(), expect.getState().testPath ?? '')
if (CHANGES_KERNEL.test(file) && !isolated()) {
  throw new Error(`${file} changes the kernel: run it through "npm test -- ${file}", which does so in namespaces of its own`)
}

function isolated(): boolean {
  if (process.env.LIBCNM_TEST_MODE !== undefined || process.env.VM_RUN === '1') return true
  return readlinkSync('/proc/self/ns/net') !== readlinkSync('/proc/1/ns/net')
}
