import { CnmError } from '../contracts/errors.js'
import type { KernelObject } from '../contracts/kernel-objects.js'
import { hasRequestId, requestIdOf } from '../contracts/request-id.js'
import type { Kernel } from '../kernel/index.js'

/** The IPsec states and policies of an instance on the host; none where the kernel has no IPsec. */
export async function ipsecObjects(kernel: Kernel, instance: string): Promise<KernelObject[]> {
  try {
    const found = await kernel.list('host', ['xfrm-state', 'xfrm-policy'])
    const id = requestIdOf(instance)
    return found.filter((object) => hasRequestId(object, id))
  } catch (error) {
    if (error instanceof CnmError && error.code === 'ERR_CNM_NOT_SUPPORTED') return []
    throw error
  }
}
