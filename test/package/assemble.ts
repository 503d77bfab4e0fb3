import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'

interface LockedPackage {
  dev?: boolean
  devOptional?: boolean
}

const lockedPackages = (JSON.parse(readFileSync('package-lock.json', 'utf8')) as { packages: Record<string, LockedPackage> }).packages

/**
 * An empty project outside the tree with the packed package in it, as `npm install libcnm` leaves it. Needs no network:
 * the dependencies are copies of those that the lock file names. LIBCNM_INSTALLED names a project that npm filled.
 */
export function installedProject(): string {
  const given = process.env.LIBCNM_INSTALLED
  if (given !== undefined) return given
  const project = emptyProject('project')
  unpack(pack(), project, 'libcnm')
  for (const [path, entry] of Object.entries(lockedPackages)) {
    if (path !== '' && entry.dev !== true && entry.devOptional !== true) copyPackage(path, project)
  }
  return project
}

export function emptyProject(name: string): string {
  const project = mkdtempSync(join(tmpdir(), `${name}-`))
  mkdirSync(join(project, 'node_modules'))
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name, private: true, type: 'module' }))
  return project
}

/** Copies a package of the tree, without the packages nested in it. */
export function copyPackage(path: string, project: string): void {
  if (!existsSync(path)) return // for another platform
  const nested = join(path, 'node_modules')
  cpSync(path, join(project, path), { recursive: true, filter: (source) => source !== nested })
}

/** Builds and packs a copy of the tree, so that dist/ is left to those who are using it. @returns the tarball */
function pack(): string {
  const stage = mkdtempSync(join(tmpdir(), 'stage-'))
  const built = join(stage, 'dist')
  const build = spawnSync(process.execPath, ['node_modules/tsup/dist/cli-default.js', '--out-dir', built, '--silent'], {
    encoding: 'utf8',
    env: { ...process.env, LIBCNM_BUILD: '' },
  })
  if (build.status !== 0) throw new Error(`the build failed:\n${build.stdout}${build.stderr}`)
  for (const name of ['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md', 'docs']) cpSync(name, join(stage, name), { recursive: true })
  return tarballOf(stage, stage)
}

function tarballOf(folder: string, destination: string): string {
  runNpm(['pack', '--ignore-scripts', '--pack-destination', destination], folder)
  const tarball = readdirSync(destination).find((name) => name.endsWith('.tgz'))
  if (tarball === undefined) throw new Error('npm pack made no tarball')
  return join(destination, tarball)
}

/** Packs a folder, and puts the result where `npm install` puts it. */
export function installPackage(folder: string, project: string, name: string): void {
  unpack(tarballOf(folder, mkdtempSync(join(tmpdir(), 'packed-'))), project, name)
}

function unpack(tarball: string, project: string, name: string): void {
  execFileSync('tar', ['-xzf', tarball, '-C', project])
  const place = join(project, 'node_modules', name)
  // From an earlier run on the same project.
  rmSync(place, { recursive: true, force: true })
  renameSync(join(project, 'package'), place)
  rmSync(join(tarball, '..'), { recursive: true })
}

/** npm by the path that it tells its children, so that it need not be in PATH. */
function runNpm(args: string[], cwd: string): void {
  const path = process.env.npm_execpath
  const [program, first] = path !== undefined && basename(path).startsWith('npm') ? [process.execPath, [path]] : ['npm', []]
  execFileSync(program, [...first, ...args], { cwd, stdio: 'pipe' })
}
