import { check } from '../engine/check.js'
import type { Core } from './core.js'

/** How the instance is. */
export interface ControllerStatus {
  /** `degraded`: something is not in the kernel as it should be, or could not be removed, or the cluster is out of reach. */
  health: 'healthy' | 'degraded'
  reasons: string[]
  instance: string
  networks: number
  sandboxes: number
  endpoints: number
}

export async function readStatus(core: Core): Promise<ControllerStatus> {
  const { instance, networks, sandboxes, endpoints } = core
  const deviations = await check(core.engine, core.kernel)
  const reasons = deviations.map(
    ({ object, problem, fields }) => `${object}: ${problem}${fields === undefined ? '' : ` (${fields.join(', ')})`}`,
  )
  reasons.push(...core.troubles.reasons())
  if (core.cluster?.inTouch === false) reasons.push("the cluster's store cannot be reached: what others do is not heard of")
  return {
    health: reasons.length === 0 ? 'healthy' : 'degraded',
    reasons,
    instance,
    networks: networks.size,
    sandboxes: sandboxes.size,
    endpoints: endpoints.size,
  }
}
