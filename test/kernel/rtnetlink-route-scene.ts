import type { Place, RouteObject } from '../../src/contracts/kernel-objects.js'
import { listRoutes } from '../../src/kernel/rtnetlink/index.js'
import { routesOf } from './rtnetlink-iproute2.js'
import { World } from './rtnetlink-world.js'

export const route = (at: Place, destination: string, fields: Partial<RouteObject> = {}): RouteObject => ({
  kind: 'route',
  at,
  destination,
  ...fields,
})

/** Two links, each with an address of either family, and its neighbours behind it. */
export function withLinks(): { world: World; at: Place; ours(): RouteObject[] } & Disposable {
  const world = new World()
  const at = world.place()
  world.batch(
    at,
    'link set lo up',
    ...['v1', 'v2'].flatMap((name, i) => [
      `link add ${name} type veth peer name ${name}p`,
      ...[name, `${name}p`].flatMap((end) => [`link set ${end} addrgenmode none`, `link set ${end} up`]),
      `address add 10.0.${i + 1}.1/24 dev ${name}`,
      `address add fd00:${i + 1}::1/64 dev ${name} nodad`,
    ]),
  )
  // The kernel adds the local routes of IPv6 addresses a little later.
  world.until(
    () => listRoutes(world.session, at, { family: 6, table: 255 }).filter(({ destination }) => destination.startsWith('fd00')).length === 2,
  )
  const ours = (): RouteObject[] => routesOf(world, at).filter(({ protocol }) => protocol !== 2)
  return { world, at, ours, [Symbol.dispose]: () => world[Symbol.dispose]() }
}
