// Installs the dependencies and builds dist/ when they are missing or out of date. Plain Node: runs on a fresh clone.
// Used by `npm test` and `npm run demo`. Several copies may run at once: they wait for each other.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, renameSync, statSync, utimesSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const SOURCES = ['src', 'drivers', 'adapters', 'entries.json', 'scripts', 'tsup.config.ts', 'tsconfig.json', 'package-lock.json']

/** Waits for other copies, then does what is needed. @returns {void} */
export function setUp() {
  if (ready()) return
  mkdirSync(join(root, '.cache'), { recursive: true })
  const lock = spawnSync('flock', [join(root, '.cache', 'set-up.lock'), process.execPath, fileURLToPath(import.meta.url)], {
    stdio: 'inherit',
  })
  if (lock.error !== undefined) locked()
  else if (lock.status !== 0) process.exit(lock.status ?? 1)
}

function locked() {
  if (!installed()) run('npm', process.env.npm_execpath, ['ci', '--ignore-scripts', '--no-audit', '--no-fund'])
  if (!built()) build()
}

const ready = () => installed() && built()

/** Whether node_modules holds what the lock file asks for; packages for other platforms may be absent. */
function installed() {
  const lock = packages(join(root, 'package-lock.json'))
  const present = packages(join(root, 'node_modules', '.package-lock.json'))
  if (lock === undefined || present === undefined) return false
  return Object.entries(lock).every(([path, wanted]) => {
    if (path === '' || (present[path] === undefined && wanted.optional)) return true
    return present[path]?.version === wanted.version && existsSync(join(root, path))
  })
}

function packages(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).packages : undefined
}

/** Whether dist/ is younger than every source. */
function built() {
  const stamp = join(root, 'dist', 'index.js')
  return existsSync(stamp) && SOURCES.every((source) => newest(join(root, source)) <= statSync(stamp).mtimeMs)
}

function newest(path) {
  if (!existsSync(path)) return 0
  const stat = statSync(path)
  if (!stat.isDirectory()) return stat.mtimeMs
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))))
}

/** Builds the code (declarations take longer, and nothing that runs needs them) beside dist/ and swaps, so that a copy that is running its tests never sees half a build. */
function build() {
  const fresh = join(root, '.cache', `dist-${process.pid}`)
  const old = `${fresh}-old`
  const started = new Date()
  process.env.LIBCNM_BUILD = 'js'
  run('tsup', join(root, 'node_modules', 'tsup', 'dist', 'cli-default.js'), ['--out-dir', fresh, '--silent'])
  // A source saved during the build is newer than the result.
  utimesSync(join(fresh, 'index.js'), started, started)
  if (existsSync(join(root, 'dist'))) renameSync(join(root, 'dist'), old)
  renameSync(fresh, join(root, 'dist'))
  rmSync(old, { recursive: true, force: true })
}

/** Runs a Node script, or the program of that name when the script is not known. */
function run(program, script, args) {
  console.log(`> ${program} ${args.join(' ')}`)
  const isScript = script !== undefined && /\.[cm]?js$/.test(script)
  const result = isScript
    ? spawnSync(process.execPath, [script, ...args], { cwd: root, stdio: 'inherit' })
    : spawnSync(program, args, { cwd: root, stdio: 'inherit' })
  if (result.error !== undefined) throw result.error
  if (result.status !== 0) {
    console.error(`${program} failed with exit code ${result.status}`)
    process.exit(result.status ?? 1)
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) locked()
