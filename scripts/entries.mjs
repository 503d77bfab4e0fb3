// The public subpaths of the package and their sources, from entries.json, the one place that lists them.
// `node scripts/entries.mjs` writes `exports` of package.json and `entryPoints` of typedoc.json accordingly.
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

/** @returns {string[]} `entryPoints` of typedoc.json */
export const documentedEntries = () => Object.values(entries.public)

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const write = (name, change) =>
    writeFileSync(new URL(`../${name}`, import.meta.url), `${JSON.stringify({ ...read(name), ...change }, null, 2)}\n`)
  write('package.json', { exports: packageExports() })
  write('typedoc.json', { entryPoints: documentedEntries() })
}
