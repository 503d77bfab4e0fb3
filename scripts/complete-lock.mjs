// `node scripts/complete-lock.mjs`, after `npm install` against a registry mirror that lacks packages for other platforms:
// npm leaves those out of package-lock.json, and then refuses it in `npm ci`. Puts them in, by name, version and platform.
import { readFileSync, writeFileSync } from 'node:fs'

const file = new URL('../package-lock.json', import.meta.url)
const lock = JSON.parse(readFileSync(file, 'utf8'))
const OS = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32']
const CPU = ['arm64', 'arm', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'x64']

for (const [path, parent] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
    if (!/^\d/.test(version) || found(path, name)) continue
    lock.packages[`node_modules/${name}`] = entry(name, version, parent.dev)
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, 'en')))
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`)

/** Whether the package at `path` finds a dependency, as Node looks for it. */
function found(path, name) {
  for (let folder = path; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))) {
    if (lock.packages[`${folder}/node_modules/${name}`.replace(/^\//, '')] !== undefined) return true
    if (folder === '') return false
  }
}

/** Such packages are named after what they are for: `rollup-linux-arm64-musl`. */
function entry(name, version, dev) {
  const words = name.split(/[/-]/)
  const os = OS.find((one) => words.includes(one))
  const cpu = CPU.find((one) => words.includes(one))
  if (os === undefined || cpu === undefined) throw new Error(`${name} does not say for which platform it is`)
  const libc = words.some((word) => word.startsWith('musl'))
    ? 'musl'
    : words.some((word) => word.startsWith('gnu')) && os === 'linux'
      ? 'glibc'
      : undefined
  return { version, cpu: [cpu], ...(dev && { dev }), ...(libc && { libc: [libc] }), optional: true, os: [os] }
}
