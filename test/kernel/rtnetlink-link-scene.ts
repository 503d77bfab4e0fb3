import type { LinkObject, Place } from '../../src/contracts/kernel-objects.js'
import { readLink } from '../../src/kernel/rtnetlink/index.js'
import { linksOf } from './rtnetlink-iproute2.js'
import type { World } from './rtnetlink-world.js'

export type Veth = Extract<LinkObject, { type: 'veth' }>
export type Bridge = Extract<LinkObject, { type: 'bridge' }>
export type Macvlan = Extract<LinkObject, { type: 'macvlan' }>

export const veth = (at: Place, peerAt: Place, fields: Partial<Veth> = {}): Veth => ({
  kind: 'link',
  at,
  type: 'veth',
  name: 'v0',
  ...fields,
  peer: { at: peerAt, name: 'v1', ...fields.peer },
})
export const bridge = (at: Place, name: string, fields: Partial<Bridge> = {}): Bridge => ({
  kind: 'link',
  at,
  type: 'bridge',
  name,
  ...fields,
})

export const shown = (world: World, at: Place, name: string): LinkObject | undefined =>
  linksOf(world, at).find((link) => link.name === name)
export const read = (world: World, at: Place, name: string): LinkObject | undefined => readLink(world.session, at, name)
