import { CnmError } from '../../../contracts/errors.js'
import type { Core } from '../../core.js'
import type { Network } from '../../network.js'

/**
 * Has the kernel make a state as ours are, where nobody sees it.
 * @throws CnmError ERR_CNM_NOT_SUPPORTED with its reason when it cannot
 */
export async function proveEncryption({ kernel }: Core, { name }: Network): Promise<void> {
  const { available, reason } = (await kernel.probe(['xfrm-esp'])).features['xfrm-esp']
  if (available) return
  throw new CnmError('ERR_CNM_NOT_SUPPORTED', `network ${name} is encrypted, and the kernel cannot do that: ${reason}`, {
    object: `network ${name}`,
    field: 'options.encrypted',
  })
}
