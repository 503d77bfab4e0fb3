import type { MountFlag, Propagation } from '../../src/kernel/index.js'

/** What `o` says, sorted by who understands it. */
export interface MountWords {
  flags: MountFlag[]
  propagation?: Propagation
  bind?: 'bind' | 'rbind'
  /** For the file system itself. */
  rest: string[]
}

const FLAGS: ReadonlySet<string> = new Set<MountFlag>([
  'ro',
  'nosuid',
  'nodev',
  'noexec',
  'noatime',
  'nodiratime',
  'strictatime',
  'nosymfollow',
])
/** What goes without saying. */
const DEFAULTS = new Set(['defaults', 'rw', 'suid', 'dev', 'exec', 'relatime', 'atime', 'diratime', 'async'])
const PROPAGATION: ReadonlySet<string> = new Set<Propagation>(['private', 'slave', 'shared', 'rprivate', 'rslave', 'rshared'])
/** Of mount(8), not of a mount. */
const REFUSED = new Set(['remount', 'move', 'loop', 'user', 'users', 'owner', 'group', 'auto', 'noauto', 'unbindable', 'runbindable'])

/** @throws Error saying which word cannot be had */
export function parseMountWords(text: string): MountWords {
  const words: MountWords = { flags: [], rest: [] }
  for (const word of split(text)) {
    if (REFUSED.has(word)) throw new Error(`${word} is not for the mounts of a volume`)
    if (DEFAULTS.has(word)) continue
    if (word === 'bind' || word === 'rbind') words.bind = word
    else if (FLAGS.has(word)) words.flags.push(word as MountFlag)
    else if (PROPAGATION.has(word)) words.propagation = word as Propagation
    else words.rest.push(word)
  }
  return words
}

/** At the commas that are not inside double quotes; the quotes go. */
export function split(text: string): string[] {
  const words = text.match(/(?:"[^"]*"|[^,"])+/g) ?? []
  return words.map((word) => word.replaceAll('"', '').trim()).filter((word) => word !== '')
}

/** The value of `name=value` among the words. */
export const valueOf = (words: readonly string[], name: string): string | undefined =>
  words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1)
