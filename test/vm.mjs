// `npm run test:vm`: the tests that need what many kernels lack (VLAN, ipvlan, WireGuard, ESP, netem), on a stock Debian
// kernel in a virtual machine. LIBCNM_VM_RUN names the program that boots one and runs a command in it. All files share
// one boot; `npm run test:vm -- test/vm/xfrm.test.ts` runs one.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { setUp } from '../scripts/set-up.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const boot = process.env.LIBCNM_VM_RUN ?? join(root, '..', 'shared', 'vm', 'run')
const LIMIT_SECONDS = 840
const args = process.argv.slice(2)

if (!existsSync(boot)) {
  console.error(`There is no ${boot}. Name a program in LIBCNM_VM_RUN that runs "program --timeout SECONDS -- COMMAND" on a kernel with
everything built in, or call on such a machine, as root: VM_RUN=1 npm test -- test/vm`)
  process.exit(1)
}
setUp()
// Of the kernel tests those that other kernels skip.
const tests = args.length > 0 ? args : ['test/vm', 'test/kernel/volume-size']
// The kernel would load these by itself, but not for somebody in namespaces.
const MODULES = 'modprobe -qa loop quota_v2; exec "$@"'
const command = ['sh', '-c', MODULES, 'sh', 'env', 'LIBCNM_TEST_PREPARED=1', process.execPath, join(root, 'test', 'run.mjs'), ...tests]
const result = spawnSync(boot, ['--timeout', String(LIMIT_SECONDS), '--dir', root, '--', ...command], { stdio: 'inherit' })
if (result.error !== undefined) throw result.error
process.exit(result.status ?? 1)
