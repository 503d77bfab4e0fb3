import { constants } from 'node:os'
import { getSystemErrorMap } from 'node:util'

interface Errno {
  errno: number
  name: string
  text: string
}

/** Errors that Linux returns and Node does not name: kernel-internal ones that leak out, and those libuv never sees. */
const UNNAMED: readonly Errno[] = [
  { errno: 85, name: 'ERESTART', text: 'interrupted, should be restarted' },
  { errno: 117, name: 'EUCLEAN', text: 'structure needs cleaning' },
  { errno: 126, name: 'ENOKEY', text: 'required key not available' },
  { errno: 524, name: 'ENOTSUPP', text: 'operation is not supported' },
]

/** Second names of numbers that have a better known one. */
const SYNONYMS = new Set(['EWOULDBLOCK', 'ENOTSUP'])

const known: ReadonlyMap<number, Errno> = new Map([...namedByNode(), ...UNNAMED].map((entry) => [entry.errno, entry]))

function namedByNode(): Errno[] {
  const texts = getSystemErrorMap()
  return Object.entries(constants.errno)
    .filter(([name]) => !SYNONYMS.has(name))
    .map(([name, errno]) => ({ errno, name, text: texts.get(-errno)?.[1] ?? name }))
}

/** `EEXIST` for 17; `E4095` for a number without a name. */
export const errnoName = (errno: number): string => known.get(errno)?.name ?? `E${errno}`

/** What the number means, in words; its name where there are none. */
export const errnoText = (errno: number): string => known.get(errno)?.text ?? errnoName(errno)
