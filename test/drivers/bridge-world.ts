import { afterAll, afterEach, beforeEach, expect } from 'vitest'
import { bridge } from '../../drivers/bridge/index.js'
import { leftBehind, takeCensus, type Census } from '../census.js'
import { DriverWorld } from './world.js'

/** Forwarding stays on, as documented, and the first named namespace makes its folder a mount: both are so afterwards. */
export async function openBridgeWorld(): Promise<DriverWorld> {
  const world = await DriverWorld.open(bridge())
  await world.join('first', await world.network())
  await world.clear()
  return world
}

/** Every test of a `describe` leaves nothing, and at its end the world goes. */
export function eachLeavesNothing(world: () => DriverWorld): void {
  let before: Census
  beforeEach(async () => {
    before = await takeCensus()
  })
  afterEach(async () => {
    await world().clear()
    expect(await leftBehind(before)).toEqual([])
  })
  afterAll(() => world()[Symbol.asyncDispose]())
}
