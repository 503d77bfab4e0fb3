import { NamespaceLost } from '../namespace-lost.js'
import { errnoName, errnoText } from '../errno.js'
import { DumpError, type Acknowledgement } from '../netlink/socket.js'
import { SystemCallError } from '../system-call-error.js'
import { no, YES, type Verdict } from './capabilities.js'

/** `EOPNOTSUPP: Unknown device type`: the name of the number and the kernel's text, or the C library's. */
const words = (errno: number, kernelText?: string): string => `${errnoName(errno)}: ${kernelText ?? errnoText(errno)}`

export function verdictOf(answer: Acknowledgement | undefined): Verdict {
  if (answer === undefined) return no('the kernel did not answer')
  return answer.errno === 0 ? YES : no(words(answer.errno, answer.text))
}

/** Yes when `body` runs through, else the error's words. */
export function attempt(body: () => void): Verdict {
  try {
    body()
    return YES
  } catch (error) {
    if (error instanceof NamespaceLost) throw error
    if (error instanceof DumpError) return no(words(error.errno, error.kernelText))
    if (error instanceof SystemCallError) return no(`${error.syscall}: ${words(error.errno)}`)
    return no(error instanceof Error ? error.message : String(error))
  }
}
