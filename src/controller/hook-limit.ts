import { CnmError } from '../contracts/errors.js'

const HOOK_LIMIT_MS = 60_000

/**
 * Runs a hook that somebody else wrote: limited in time, ended early by `outer`, its failures turned into CnmErrors.
 *
 * @param who for error messages: `driver bridge`, `IPAM driver dhcp`
 * @param what name of the hook
 * @param milliseconds how long it may take; 0: as long as it needs
 * @throws CnmError ERR_CNM_TIMEOUT, ERR_CNM_ABORTED, ERR_CNM_DRIVER_FAILED; CnmErrors of the hook as they are
 */
export async function limitedHook<T>(
  who: string,
  what: string,
  body: (signal: AbortSignal) => Promise<T>,
  outer?: AbortSignal,
  milliseconds = HOOK_LIMIT_MS,
): Promise<T> {
  const limit = new AbortController()
  const signal = outer === undefined ? limit.signal : AbortSignal.any([limit.signal, outer])
  let fail!: (reason: unknown) => void
  const ended = new Promise<never>((_, reject) => (fail = reject))
  const onAbort = (): void => fail(aborted(`${who}: ${what}`, limit.signal.aborted ? milliseconds : undefined, signal.reason))
  const timer = milliseconds === 0 ? undefined : setTimeout(() => limit.abort(), milliseconds)
  timer?.unref()
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    if (signal.aborted) onAbort()
    return await Promise.race([body(signal), ended])
  } catch (error) {
    throw hookFailure(who, what, error)
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
    ended.catch(() => undefined)
  }
}

/** What a failed hook is to the user. */
export function hookFailure(who: string, what: string, error: unknown): CnmError {
  if (error instanceof CnmError) return error
  const message = error instanceof Error ? error.message : String(error)
  return new CnmError('ERR_CNM_DRIVER_FAILED', `${who}: ${what}: ${message}`, { cause: error })
}

function aborted(what: string, tooLong: number | undefined, reason: unknown): CnmError {
  if (tooLong !== undefined) return new CnmError('ERR_CNM_TIMEOUT', `${what} took longer than ${tooLong / 1000} s`)
  return new CnmError('ERR_CNM_ABORTED', `${what}: aborted`, { cause: reason })
}
