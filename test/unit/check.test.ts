import { describe, expect, it } from 'vitest'
import type { KernelObject, LinkObject } from '../../src/contracts/kernel-objects.js'
import { compare } from '../../src/engine/check.js'
import { Engine } from '../../src/engine/engine.js'

const SANDBOX = '/run/netns/cnm-1'
const MAC = '02:00:00:00:00:01'
const OTHER_MAC = '02:00:00:00:00:02'
const macvlan = (at: string): LinkObject => ({
  kind: 'link',
  at,
  name: 'eth0',
  type: 'macvlan',
  mac: MAC,
  mode: 'bridge',
  parent: { at: 'host', name: 'up0' },
})
const ipvlan = (at: string): LinkObject => ({ kind: 'link', at, name: 'eth0', type: 'ipvlan', mode: 'l2', parent: { name: 'up0' } })

/** What a kernel that holds these links makes of one that may be left, and of one that is wanted. */
async function judge(object: LinkObject, found: LinkObject): Promise<{ left: number; problem: string | undefined }> {
  const kernel = {
    transaction: async () => undefined,
    read: async () => [[found] as KernelObject[]],
  }
  const { left } = await compare(new Engine('cnm', kernel), kernel, { leftovers: [object] })
  const engine = new Engine('cnm', kernel)
  engine.adopt(new Map([['endpoint/1', [object]]]))
  const [deviation] = (await compare(engine, kernel)).deviations
  return { left: left.length, problem: deviation?.problem }
}

describe('a link that has the name of ours', () => {
  it.each<[string, LinkObject, object, 'ours' | 'foreign']>([
    ['with our alias', macvlan('host'), { alias: 'libcnm:cnm:endpoint/2' }, 'ours'],
    ['with the alias of another instance', macvlan('host'), { alias: 'libcnm:cnm2:endpoint/1' }, 'foreign'],
    ['with the alias of another instance, and with our MAC', macvlan(SANDBOX), { alias: 'libcnm:cnm2:endpoint/1' }, 'foreign'],
    ['with another alias, and with our MAC', macvlan('host'), { alias: 'uplink' }, 'ours'],
    ['with another alias, where links have no MAC of their own', ipvlan(SANDBOX), { alias: 'uplink' }, 'foreign'],
    ['without one, and with our MAC, as a process leaves it that dies while it makes one', macvlan(SANDBOX), {}, 'ours'],
    ['without one, and with another MAC', macvlan(SANDBOX), { mac: OTHER_MAC }, 'foreign'],
    ['without one, and of another type', macvlan('host'), { type: 'veth' }, 'foreign'],
    ['without one, where links have no MAC of their own, in a sandbox', ipvlan(SANDBOX), {}, 'ours'],
    ['without one, where links have no MAC of their own, on the host', ipvlan('host'), {}, 'foreign'],
  ])('%s', async (_, object, found, whose) => {
    const { left, problem } = await judge(object, { ...object, ...found })
    expect([left, problem]).toEqual(whose === 'ours' ? [1, 'different'] : [0, 'foreign'])
  })
})
