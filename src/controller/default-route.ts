import type { RouteObject } from '../contracts/kernel-objects.js'
import type { Endpoint } from './endpoint.js'

/**
 * One default route per family out of what the endpoints of a sandbox offer: highest gateway priority, then networks
 * that are not internal, then those that give a route in both families, then by network name, then by endpoint id.
 */
export function chooseDefaultRoutes(endpoints: readonly Endpoint[]): RouteObject[] {
  const ranked = [...endpoints].sort(compare)
  const chosen: RouteObject[] = []
  for (const family of [4, 6] as const) {
    for (const { record } of ranked) {
      const offer = record.gateways.find((route) => route.family === family)
      if (offer === undefined) continue
      chosen.push(offer)
      break
    }
  }
  return chosen
}

function compare(a: Endpoint, b: Endpoint): number {
  if (a.record.gatewayPriority !== b.record.gatewayPriority) return b.record.gatewayPriority - a.record.gatewayPriority
  if (a.network.internal !== b.network.internal) return a.network.internal ? 1 : -1
  if (a.record.gateways.length !== b.record.gateways.length) return b.record.gateways.length - a.record.gateways.length
  if (a.network.name !== b.network.name) return a.network.name < b.network.name ? -1 : 1
  return a.id < b.id ? -1 : 1
}
