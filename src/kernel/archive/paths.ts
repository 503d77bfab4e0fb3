import { CnmError } from '../../contracts/errors.js'
import { asFileName, type FileName } from '../files/index.js'

/** A name in an archive, as far as messages show it. */
const SHOWN = 200

export function refused(name: string, why: string): CnmError {
  const text = Buffer.from(name, 'latin1').toString('utf8').slice(0, SHOWN)
  return new CnmError('ERR_CNM_ARCHIVE_REFUSED', `archive: ${JSON.stringify(text)} ${why}`, { object: text })
}

/**
 * The steps to an entry, from the top; none for the top itself.
 * @throws CnmError ERR_CNM_ARCHIVE_REFUSED for one that is outside
 */
export function stepsOf(name: FileName): FileName[] {
  if (name.startsWith('/')) throw refused(name, 'has an absolute path')
  if (name.includes('\0')) throw refused(name, 'is no valid path')
  const steps = name.split('/').filter((step) => step !== '' && step !== '.')
  if (steps.includes('..')) throw refused(name, 'leads out of the archive')
  return steps
}

/**
 * Refuses a symbolic link that might lead out. Only a `..` at the beginning goes where it seems to go: the folders that
 * an entry is in are no links, what comes later may be one.
 */
export function checkLink(name: FileName, depth: number, target: FileName): void {
  if (target === '' || target.includes('\0')) throw refused(name, 'is a link to nothing')
  if (target.startsWith('/')) throw refused(name, 'is a link to an absolute path')
  const steps = target.split('/').filter((step) => step !== '' && step !== '.')
  const up = steps.findIndex((step) => step !== '..')
  const climbs = up < 0 ? steps.length : up
  if (climbs > depth || steps.slice(climbs).includes('..')) throw refused(name, 'is a link that leads out')
}

/** Names of the long form are text, others are bytes. */
export const nameOf = (plain: string, long: string | undefined): FileName => (long === undefined ? plain : asFileName(long))
