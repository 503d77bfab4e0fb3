import { beforeEach, describe, expect, it } from 'vitest'
import { ipam, type IpamOptions } from '../../drivers/ipam/index.js'
import type { IpamDriver, PoolRequest } from '../../src/contracts/ipam-driver.js'
import type { Store } from '../../src/contracts/store.js'
import { memory } from '../../src/store/memory.js'

let store: Store
beforeEach(() => {
  store = memory()
})

const driver = (options: Partial<IpamOptions> = {}): IpamDriver => ipam({ store, ...options })

async function subnet(from: IpamDriver, request: Partial<PoolRequest> = {}): Promise<string> {
  return (await from.requestPool({ space: 'local', owner: 'net', family: 4, ...request })).subnet
}

describe('subnets that the driver chooses', () => {
  it('come one after the other from 172.16.0.0/12 and 10.128.0.0/9', async () => {
    const d = driver()
    expect([await subnet(d), await subnet(d), await subnet(d)]).toEqual(['172.16.0.0/24', '172.16.1.0/24', '172.16.2.0/24'])
    expect(await subnet(d, { space: 'global' })).toBe('10.128.0.0/24')
  })

  it('skip what is taken, reserved for the host, or partly used by another pool', async () => {
    const d = driver()
    await subnet(d, { subnet: '172.16.0.128/25' })
    expect(await subnet(d, { exclude: ['172.16.1.0/24', '172.16.2.77/32', '172.16.3.9/25', 'fe80::/64'] })).toBe('172.16.4.0/24')
    expect(await subnet(d, { exclude: ['172.16.0.0/13'] })).toBe('172.24.0.0/24')
  })

  it('have the size that is asked for', async () => {
    const d = driver()
    expect(await subnet(d, { subnet: '0.0.0.0/28' })).toBe('172.16.0.0/28')
    expect(await subnet(d, { subnet: '0.0.0.0/26' })).toBe('172.16.0.64/26')
    expect(await subnet(d, { subnet: '0.0.0.0/28' })).toBe('172.16.0.16/28')
    expect(await subnet(d, { subnet: '0.0.0.0/20' })).toBe('172.16.16.0/20')
    expect(await subnet(d)).toBe('172.16.1.0/24')
  })

  it('are used again, lowest first, when they are released', async () => {
    const d = driver()
    const ids = []
    for (let index = 0; index < 5; index++) ids.push((await d.requestPool({ space: 'local', owner: 'net', family: 4 })).id)
    await d.releasePool(ids[3]!)
    await d.releasePool(ids[1]!)
    expect(await subnet(d)).toBe('172.16.1.0/24')
    expect(await subnet(d)).toBe('172.16.3.0/24')
    expect(await subnet(d)).toBe('172.16.5.0/24')
  })

  it('are all different when they are asked for at once', async () => {
    const d = driver()
    const all = await Promise.all(Array.from({ length: 300 }, () => subnet(d)))
    expect(new Set(all).size).toBe(300)
    expect(all).toContain('172.17.43.0/24')
  })

  it('come from the list that is configured, of which longer overlapping bases are dropped', async () => {
    const pools = [
      { base: '192.168.10.0/26', size: 28 },
      { base: '10.1.0.0/31', size: 31 },
      { base: '192.168.10.0/27', size: 29 },
      { base: '192.168.10.0/26', size: 30 },
      { base: 'fd00:1::/63', size: 64 },
    ]
    const d = driver({ pools })
    const all = []
    for (let index = 0; index < 5; index++) all.push(await subnet(d))
    expect(all).toEqual(['192.168.10.0/28', '192.168.10.16/28', '192.168.10.32/28', '192.168.10.48/28', '10.1.0.0/31'])
    await expect(subnet(d)).rejects.toMatchObject({ code: 'ERR_CNM_POOLS_EXHAUSTED' })
    expect([await subnet(d, { family: 6 }), await subnet(d, { family: 6 })]).toEqual(['fd00:1::/64', 'fd00:1:0:1::/64'])
    await expect(subnet(d, { family: 6 })).rejects.toMatchObject({ code: 'ERR_CNM_POOLS_EXHAUSTED' })
  })

  it('for IPv6 come from one random unique local /48 per space, which lasts', async () => {
    const first = [await subnet(driver(), { family: 6 }), await subnet(driver(), { family: 6 })]
    expect(first[0]).toMatch(/^fd[0-9a-f]{2}:[0-9a-f]{1,4}:[0-9a-f]{1,4}::\/64$/)
    const base = first[0]!.replace('::/64', '')
    expect(first[1]).toBe(`${base}:1::/64`)
    expect(await subnet(driver(), { family: 6, subnet: '::/56' })).toBe(`${base}:100::/56`)
    expect(await subnet(driver(), { family: 6, space: 'global' })).not.toContain(base)
    const elsewhere = ipam({ store: memory() })
    expect(await subnet(elsewhere, { family: 6 })).not.toBe(first[0])
  })

  it('name what is in the way when nothing is free', async () => {
    const d = driver({
      pools: [
        { base: '10.7.0.0/30', size: 31 },
        { base: '10.8.0.0/31', size: 31 },
      ],
    })
    await subnet(d, { owner: 'blue' })
    const failure = await d
      .requestPool({ space: 'local', owner: 'x', family: 4, exclude: ['10.7.0.2/31', '10.8.0.0/24'] })
      .catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'ERR_CNM_POOLS_EXHAUSTED' })
    const { message } = failure as Error
    expect(message).toContain('10.7.0.0/31 (blue)')
    expect(message).toContain('10.7.0.2-10.7.0.3')
    expect(message).toContain('in 10.8.0.0/31 excluded because the host uses them: 10.8.0.0-10.8.0.255')
    await expect(subnet(d, { subnet: '0.0.0.0/16' })).rejects.toThrow('10.7.0.0/30 is smaller than that')
  })

  it('name ten obstacles and count the rest', async () => {
    const d = driver({ pools: [{ base: '10.7.0.0/24', size: 28 }] })
    for (let index = 0; index < 16; index++) await subnet(d)
    await expect(subnet(d)).rejects.toThrow(/10\.7\.0\.144\/28 \(net\) and 6 more/)
  })
})

describe('subnets that are asked for', () => {
  it('may be on-link on the host: that is what macvlan is for', async () => {
    expect(await subnet(driver(), { subnet: '192.168.1.0/24', exclude: ['192.168.1.0/24'] })).toBe('192.168.1.0/24')
  })

  it('must not overlap another pool of the space, and may one of another space', async () => {
    const d = driver()
    await subnet(d, { subnet: '10.0.0.0/16', owner: 'blue' })
    for (const other of ['10.0.0.0/16', '10.0.0.0/15', '10.0.255.0/24']) {
      const failure = subnet(d, { subnet: other })
      await expect(failure).rejects.toMatchObject({ code: 'ERR_CNM_POOL_OVERLAP', field: 'subnet' })
      await expect(failure).rejects.toThrow(/10\.0\.0\.0\/16, which belongs to blue/)
    }
    expect(await subnet(d, { subnet: '10.1.0.0/16' })).toBe('10.1.0.0/16')
    expect(await subnet(d, { subnet: '10.0.0.0/16', space: 'global' })).toBe('10.0.0.0/16')
    expect(await subnet(d, { subnet: '2001:db8::/32', family: 6 })).toBe('2001:db8::/32')
    await expect(subnet(d, { subnet: '2001:db8:1::/64', family: 6 })).rejects.toMatchObject({ code: 'ERR_CNM_POOL_OVERLAP' })
  })

  it('overlap the same way whichever is first', async () => {
    for (const [first, second] of [
      ['10.0.0.0/24', '10.0.0.0/16'],
      ['10.0.0.0/16', '10.0.0.0/24'],
    ] as const) {
      const d = ipam({ store: memory() })
      await subnet(d, { subnet: first })
      await expect(subnet(d, { subnet: second })).rejects.toMatchObject({ code: 'ERR_CNM_POOL_OVERLAP' })
    }
  })

  it('may be shared by pools that each have ranges of their own, and give no address twice', async () => {
    const d = driver()
    const request = { space: 'local', owner: 'net', family: 4, subnet: '10.0.0.0/24' } as const
    const left = await d.requestPool({ ...request, ranges: ['10.0.0.0/29'], reserved: { nas: '10.0.0.9' } })
    const right = await d.requestPool({ ...request, ranges: ['10.0.0.0/28'] })
    await expect(d.requestPool({ ...request, ranges: ['10.0.0.4/30', '10.0.0.0/30'] })).rejects.toMatchObject({
      code: 'ERR_CNM_POOL_OVERLAP',
    })
    await expect(d.requestPool(request)).rejects.toMatchObject({ code: 'ERR_CNM_POOL_OVERLAP' })
    const given: string[] = []
    for (const pool of [left, right, left, right]) {
      given.push((await d.requestAddress({ pool: pool.id, owner: pool.id, purpose: 'endpoint' })).address)
    }
    expect(given).toEqual(['10.0.0.1/24', '10.0.0.2/24', '10.0.0.3/24', '10.0.0.4/24'])
    await expect(d.requestAddress({ pool: right.id, owner: 'e', purpose: 'endpoint', address: '10.0.0.9' })).rejects.toThrow(
      'reserved for nas',
    )
    expect((await d.leases!(left.id)).map(({ address }) => address)).toEqual(['10.0.0.1/24', '10.0.0.3/24'])
    await d.releaseAddress(left.id, '10.0.0.1', left.id)
    await d.releaseAddress(left.id, '10.0.0.3', left.id)
    await d.releasePool(left.id)
    expect((await d.requestAddress({ pool: right.id, owner: 'e', purpose: 'endpoint', address: '10.0.0.9' })).address).toBe('10.0.0.9/24')
    await expect(d.requestPool({ ...request, ranges: ['10.0.0.64/28'] })).resolves.toBeDefined()
  })
})

describe('releasing a pool', () => {
  it('is refused while it has leases, naming the holders', async () => {
    const d = driver()
    const { id } = await d.requestPool({ space: 'local', owner: 'net', family: 4, subnet: '10.0.0.0/24' })
    await d.requestAddress({ pool: id, owner: 'endpoint-1', purpose: 'endpoint' })
    const failure = d.releasePool(id)
    await expect(failure).rejects.toMatchObject({ code: 'ERR_CNM_POOL_IN_USE', object: id })
    await expect(failure).rejects.toThrow('10.0.0.1 (endpoint-1)')
    expect((await d.requestAddress({ pool: id, owner: 'endpoint-2', purpose: 'endpoint' })).address).toBe('10.0.0.2/24')
    await d.releaseAddress(id, '10.0.0.1', 'endpoint-1')
    await d.releaseAddress(id, '10.0.0.2', 'endpoint-2')
    await d.releasePool(id)
    await expect(d.releasePool(id)).rejects.toMatchObject({ code: 'ERR_CNM_POOL_NOT_FOUND' })
    await expect(d.requestAddress({ pool: id, owner: 'e', purpose: 'endpoint' })).rejects.toMatchObject({ code: 'ERR_CNM_POOL_NOT_FOUND' })
    expect(await store.list('ipam/pool/')).toEqual([])
    expect(await store.list('ipam/address/')).toEqual([])
  })

  it('never leaves an address behind, however it meets requests', async () => {
    for (let round = 0; round < 30; round++) {
      const d = driver()
      const other = driver()
      const { id } = await d.requestPool({ space: 'local', owner: 'net', family: 4, subnet: '10.0.0.0/24' })
      await other.leases!(id)
      const results = await Promise.allSettled([
        other.requestAddress({ pool: id, owner: 'e', purpose: 'endpoint' }),
        d.releasePool(id),
        other.requestAddress({ pool: id, owner: 'e', purpose: 'endpoint' }),
      ])
      const leases = await store.list('ipam/address/')
      const pools = await store.list('ipam/pool/')
      const given = results.filter((result, index) => index !== 1 && result.status === 'fulfilled').length
      expect(leases.length).toBe(given)
      if (results[1].status === 'fulfilled') expect([given, pools.length]).toEqual([0, 0])
      else {
        expect(pools.length).toBe(1)
        for (const lease of await d.leases!(id)) await d.releaseAddress(id, lease.address.replace('/24', ''), 'e')
        await d.releasePool(id)
      }
    }
  })
})

it('lists all pools with their owners', async () => {
  const d = driver()
  await d.requestPool({ space: 'local', owner: 'blue', family: 4 })
  await d.requestPool({ space: 'global', owner: 'green', family: 4 })
  expect(await driver().pools!()).toEqual(
    expect.arrayContaining([
      { id: 'local/172.16.0.0-24', space: 'local', owner: 'blue', subnet: '172.16.0.0/24' },
      { id: 'global/10.128.0.0-24', space: 'global', owner: 'green', subnet: '10.128.0.0/24' },
    ]),
  )
})
