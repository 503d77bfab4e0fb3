import { constants } from 'node:os'
import { CnmError } from '../contracts/errors.js'

/** Return codes of LMDB (lmdb.h) that say that the file is not what was written. */
const DAMAGE = new Set([-30797 /* PAGE_NOTFOUND */, -30796 /* CORRUPTED */, -30794 /* VERSION_MISMATCH */, -30793 /* INVALID */])

const HINTS: Record<string, string> = {
  ENOSPC: 'the disk is full: make room, then repeat',
  EDQUOT: 'the disk quota is used up: make room, then repeat',
  EROFS: 'the file system is read-only',
  EACCES: 'the directory or its files may not be written by this user',
  EPERM: 'the directory or its files may not be written by this user',
}

/** The file is damaged. Never repaired or replaced in silence: what it held says what the kernel holds. */
export function corrupt(directory: string, what: string, cause?: unknown): CnmError {
  const message =
    `the store in ${directory} is damaged: ${what}. Nothing was changed. Put back a copy of data.mdb from before the damage; ` +
    'or, to start empty, move the directory away: networks and sandboxes that exist in the kernel are then unknown and have to be removed.'
  return new CnmError('ERR_CNM_STORE_CORRUPT', message, { object: directory, cause })
}

/** What lmdb or the file system threw, as one of our errors. */
export async function storeError(directory: string, operation: string, cause: unknown): Promise<CnmError> {
  if (cause instanceof CnmError) return cause
  const root = (await rootOf(cause)) as NodeJS.ErrnoException
  const code = numberOf(root)
  if (code !== undefined && DAMAGE.has(code)) return corrupt(directory, root.message, root)
  const errnoName = Object.entries(constants.errno).find(([, value]) => value === code)?.[0]
  const hint = errnoName === undefined ? undefined : HINTS[errnoName]
  const message = `the store in ${directory}: ${operation} failed: ${hint === undefined ? root.message : `${hint} (${errnoName})`}`
  return new CnmError('ERR_CNM_STORE', message, {
    object: directory,
    operation,
    errno: errnoName === undefined ? undefined : code,
    errnoName,
    cause: root,
  })
}

/** Of a failed commit lmdb gives the reason in a promise beside the error. */
async function rootOf(cause: unknown): Promise<unknown> {
  const reason = (cause as { commitError?: Promise<never> } | undefined)?.commitError
  return reason === undefined ? cause : reason.catch((error: unknown) => error)
}

/** Positive: errno(3); negative: LMDB's own. Node gives negative errno in `errno`, lmdb puts its number in `code`. */
function numberOf(error: NodeJS.ErrnoException): number | undefined {
  const { code, errno } = error as { code?: unknown; errno?: number }
  if (typeof code === 'number') return code
  return errno === undefined ? undefined : Math.abs(errno)
}
