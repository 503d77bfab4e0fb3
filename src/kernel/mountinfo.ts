import { readFileSync } from 'node:fs'

/** One line of /proc/<pid>/mountinfo (proc_pid_mountinfo(5)). */
export interface Mount {
  id: number
  parent: number
  /** Device as `major:minor`. */
  device: string
  /** Part of the file system that is mounted: for a bind mount the bound path, for a namespace `net:[4026531840]`. */
  root: string
  target: string
  options: string[]
  /** `shared:N`, `master:N`, `propagate_from:N`, `unbindable`; none for a private mount. */
  propagation: string[]
  type: string
  source: string
  superOptions: string[]
}

/** The mounts of the process's mount namespace, in the order of mounting: of several at one target, the last is seen. */
export const mounts = (): Mount[] => parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8'))

/** Lines that are no mounts are left out. */
export function parseMountinfo(text: string): Mount[] {
  return text.split('\n').flatMap((line) => parseLine(line) ?? [])
}

function parseLine(line: string): Mount | undefined {
  const fields = line.split(' ')
  // Six fixed fields, any number of propagation fields, a hyphen, three more.
  const hyphen = fields.indexOf('-', 6)
  const [id, parent, device, root, target, options] = fields
  const [type, source, superOptions] = fields.slice(hyphen + 1)
  if (hyphen < 0 || target === undefined || root === undefined || device === undefined || type === undefined) return undefined
  return {
    id: Number(id),
    parent: Number(parent),
    device,
    root: unescape(root),
    target: unescape(target),
    options: (options ?? '').split(','),
    propagation: fields.slice(6, hyphen),
    type: unescape(type),
    source: unescape(source ?? ''),
    superOptions: (superOptions ?? '').split(','),
  }
}

/** Space, tab, newline and backslash are written as three octal digits. */
function unescape(text: string): string {
  if (!text.includes('\\')) return text
  const bytes = Buffer.from(text, 'utf8')
    .toString('latin1')
    .replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)))
  return Buffer.from(bytes, 'latin1').toString('utf8')
}
