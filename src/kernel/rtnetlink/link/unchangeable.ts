import { CnmError } from '../../../contracts/errors.js'
import type { LinkObject } from '../../../contracts/kernel-objects.js'

/** For what the kernel decides when it makes a link, and ignores or refuses afterwards. */
export function unchangeable(link: LinkObject, what: string): CnmError {
  const message = `link ${link.name}: ${what} of a ${link.type} link cannot be changed while it lives`
  return new CnmError('ERR_CNM_NOT_SUPPORTED', message, { object: `link ${link.name}` })
}

/** Whether two objects name the same lower link. */
export function sameParent(from: LinkObject, to: LinkObject): boolean {
  const [a, b] = ['parent' in from ? from.parent : undefined, 'parent' in to ? to.parent : undefined]
  return a?.name === b?.name && (a?.at ?? from.at) === (b?.at ?? to.at)
}
