import { CnmError } from '../../src/contracts/errors.js'
import { Kernel } from '../../src/kernel/index.js'

/**
 * Runs a call that may wait for a server or a disk on a kernel thread of its own, where it holds up nobody. When the
 * signal ends the wait, the call goes on in the background, and `late` tidies up after it if it succeeds after all.
 */
export async function apart<T>(signal: AbortSignal, body: (kernel: Kernel) => Promise<T>, late: () => Promise<unknown>): Promise<T> {
  const kernel = await Kernel.open({ signal })
  const result = body(kernel).finally(() => kernel.close())
  let giveUp!: () => void
  const ended = new Promise<never>((_, reject) => {
    giveUp = () => reject(new CnmError('ERR_CNM_ABORTED', 'given up while the kernel waited', { cause: signal.reason }))
  })
  signal.addEventListener('abort', giveUp, { once: true })
  try {
    return await Promise.race([result, ended])
  } catch (error) {
    if (signal.aborted) void result.then(late).catch(() => undefined)
    throw error
  } finally {
    signal.removeEventListener('abort', giveUp)
    ended.catch(() => undefined)
  }
}
