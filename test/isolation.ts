import { relative } from 'node:path'
import { expect } from 'vitest'

/** The folders whose tests change kernel objects. */
const CHANGES_KERNEL = /^test\/(kernel|vm)\//

/** Tests that touch the kernel refuse to run outside the namespaces that own-world.cjs makes. */
const file = relative(process.cwd(), expect.getState().testPath ?? '')
if (CHANGES_KERNEL.test(file) && process.env.LIBCNM_TEST_WORLD === undefined) {
  const why = process.env.LIBCNM_TEST_WORLD_FAILED ?? 'not root'
  throw new Error(`${file} needs namespaces of its own (${why}): run it with "npm test -- ${file}"`)
}
