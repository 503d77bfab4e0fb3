import { entries } from './scripts/entries.mjs'

export default {
  entryPoints: Object.values(entries.public),
  out: 'docs/api',
  readme: 'README.md',
  excludeInternal: true,
  excludePrivate: true,
  includeVersion: true,
  githubPages: false,
  validation: { notExported: true, invalidLink: true, notDocumented: true },
  requiredToBeDocumented: ['Class', 'Interface', 'Function', 'TypeAlias', 'Enum'],
  treatWarningsAsErrors: false,
  // `npm run typecheck` is for that.
  skipErrorChecking: true,
}
