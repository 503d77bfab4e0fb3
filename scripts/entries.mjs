// The public subpaths of the package and their sources, from entries.json, the one place that lists them.
// `node scripts/entries.mjs` writes `exports` of package.json accordingly.
import { readFileSync, writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

const read = (name) => JSON.parse(readFileSync(new URL(`../${name}`, import.meta.url), 'utf8'))

export const entries = read('entries.json')

/**
 * Name of an entry in dist/, which is flat so that the kernel thread's file is always beside the chunk that starts it.
 * @param {string} subpath './drivers/bridge'
 * @returns {string} 'drivers-bridge'
 */
export const flatName = (subpath) => (subpath === '.' ? 'index' : subpath.slice('./'.length).replaceAll('/', '-'))

/** @returns {Record<string, string>} names in dist/ and their sources */
export function buildEntries() {
  const open = Object.entries(entries.public).map(([subpath, source]) => [flatName(subpath), source])
  return { ...Object.fromEntries(open), ...entries.internal }
}

/** @returns {Record<string, unknown>} `exports` of package.json */
export function packageExports() {
  const conditions = (name) => ({
    import: { types: `./dist/${name}.d.ts`, default: `./dist/${name}.js` },
    require: { types: `./dist/${name}.d.cts`, default: `./dist/${name}.cjs` },
  })
  const open = Object.keys(entries.public).map((subpath) => [subpath, conditions(flatName(subpath))])
  return { ...Object.fromEntries(open), './package.json': './package.json' }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const description = { ...read('package.json'), exports: packageExports() }
  writeFileSync(new URL('../package.json', import.meta.url), `${JSON.stringify(description, null, 2)}\n`)
}
