// `npm test`: runs vitest in network, mount and process namespaces of its own, so that nothing it makes can reach the
// machine, and everything ends with it. Plain Node; runs on a fresh clone: node test/run.mjs [vitest arguments]
import { spawn, spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { setUp } from '../scripts/set-up.mjs'

const script = fileURLToPath(import.meta.url)
const root = dirname(dirname(script))
const INSIDE = '--inside'
const LIFELINE = 3

/** Ways into namespaces of our own, best first, with the arguments of unshare(1). */
const WAYS = [
  { mode: 'root', say: 'private network, mount and process namespaces, as root', flags: [], root: true },
  { mode: 'user', say: 'private network, mount and process namespaces, through a user namespace', flags: ['--user', '--map-root-user'] },
]
const NAMESPACES = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--propagation', 'private']

/** Files in which everything is compared with what programs say, or made by them. */
const COMPARED = { files: 'test/kernel/rtnetlink-*.test.ts', programs: ['ip', 'tc', 'bridge'] }

async function outside(args) {
  if (process.env.LIBCNM_TEST_PREPARED !== '1') setUp()
  const { way, reasons } = chooseWay()
  if (way === undefined) {
    console.log(`mode: no namespaces (${reasons.join('; ')}); only what needs no privileges is run`)
    const skipped = 'SKIP test/kernel: no namespaces of its own'
    process.exitCode = await vitest(['--exclude', 'test/kernel/**', ...args], { LIBCNM_TEST_MODE: 'none' }, skipped)
    return
  }
  console.log(`mode: ${way.say}, Node ${process.version}`)
  // The far end of this pipe never says anything: when it closes, we are gone, and the inside ends too.
  const child = spawn('unshare', [...way.flags, ...NAMESPACES, process.execPath, script, INSIDE, way.mode, ...args], {
    stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill('SIGKILL'))
  process.exitCode = await ended(child)
  child.stdio[LIFELINE].destroy()
}

function chooseWay() {
  const reasons = []
  for (const way of WAYS) {
    if (way.root && process.getuid() !== 0) continue
    const attempt = spawnSync('unshare', [...way.flags, ...NAMESPACES, process.execPath, script, INSIDE, 'probe'], { encoding: 'utf8' })
    if (attempt.status === 0) return { way, reasons }
    reasons.push(
      `${way.mode}: ${attempt.error?.message ?? (attempt.stderr.trim().split('\n')[0] || `unshare ended with ${attempt.status}`)}`,
    )
  }
  return { way: undefined, reasons }
}

async function inside(mode, args) {
  if (mode === 'probe') return
  new Socket({ fd: LIFELINE })
    .on('close', () => process.exit(143))
    .resume()
    .unref()
  const { enterOwnWorld, SHARED } = createRequire(import.meta.url)('./own-world.cjs')
  for (const note of enterOwnWorld({ unshare: false, proc: true })) console.log(`note: ${note}`)
  const temporary = join(SHARED, 'tmp')
  const missing = COMPARED.programs.filter((program) => spawnSync(program, ['-V']).error !== undefined)
  const left = missing.length > 0 ? ['--exclude', COMPARED.files] : []
  const reasons = missing.length > 0 ? [`SKIP ${COMPARED.files}: ${missing.join(', ')} not installed`] : []
  const code = await vitest([...left, ...args], { LIBCNM_TEST_MODE: mode, TMPDIR: temporary }, ...reasons)
  process.exit(code)
}

/** vitest writes a copy of its settings into node_modules; the other way, slower, suits a checkout that is somebody else's. */
function configLoader() {
  try {
    accessSync(join(root, 'node_modules'), constants.W_OK)
    return []
  } catch {
    return ['--configLoader', 'runner']
  }
}

/** Runs the suite and prints the last line, `N passed, N failed`. @returns the exit code */
async function vitest(args, env, ...skipped) {
  const folder = mkdtempSync(join(env.TMPDIR ?? tmpdir(), 'report-'))
  const report = join(folder, 'summary.json')
  const program = [join(root, 'node_modules', 'vitest', 'vitest.mjs'), 'run', ...configLoader()]
  const child = spawn(process.execPath, [...program, ...args], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...env, LIBCNM_TEST_REPORT: report },
  })
  const code = await ended(child)
  const summary = existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : { passed: 0, failed: 1, skipped: 0, reasons: [] }
  rmSync(folder, { recursive: true, force: true })
  for (const reason of [...skipped, ...summary.reasons]) console.log(reason)
  console.log(`${summary.passed} passed, ${summary.failed} failed${summary.skipped > 0 ? `, ${summary.skipped} skipped` : ''}`)
  return code === 0 && summary.failed > 0 ? 1 : code
}

function ended(child) {
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code, signal) => resolve(code ?? (signal === null ? 1 : 130)))
  })
}

const [first, ...rest] = process.argv.slice(2)
if (first === INSIDE) await inside(rest[0], rest.slice(1))
else await outside(process.argv.slice(2))
