/** The longest that setTimeout can wait. */
const LONGEST = 2 ** 31 - 1

/** Waits so many milliseconds, or until the signal fires; the process may end meanwhile. Never throws. */
export async function wait(time: number, signal: AbortSignal): Promise<void> {
  for (let left = time; left > 0 && !signal.aborted; left -= LONGEST) await pause(Math.min(left, LONGEST), signal)
}

function pause(time: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, time).unref()
    signal.addEventListener('abort', done, { once: true })
  })
}
