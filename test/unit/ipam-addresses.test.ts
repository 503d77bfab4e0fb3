import { beforeEach, describe, expect, it } from 'vitest'
import { ipam } from '../../drivers/ipam/index.js'
import type { AddressRequest, IpamDriver, PoolRequest } from '../../src/contracts/ipam-driver.js'
import type { Store } from '../../src/contracts/store.js'
import { memory } from '../../src/store/memory.js'

let store: Store
let driver: IpamDriver
beforeEach(() => {
  store = memory()
  driver = ipam({ store })
})

async function pool(subnet: string, more: Partial<PoolRequest> = {}): Promise<string> {
  const family = subnet.includes(':') ? 6 : 4
  return (await driver.requestPool({ space: 'local', owner: 'net', family, subnet, ...more })).id
}

async function take(id: string, more: Partial<AddressRequest> = {}): Promise<string> {
  return (await driver.requestAddress({ pool: id, owner: 'e', purpose: 'endpoint', ...more })).address
}

async function takeAll(id: string): Promise<string[]> {
  const all: string[] = []
  for (;;) {
    try {
      all.push((await take(id)).replace(/\/.*/, ''))
    } catch (error) {
      expect(error).toMatchObject({ code: 'ERR_CNM_ADDRESSES_EXHAUSTED' })
      return all
    }
  }
}

describe('which addresses are given', () => {
  it.each([
    ['10.0.0.0/30', ['10.0.0.1', '10.0.0.2']],
    ['10.0.0.0/31', ['10.0.0.0', '10.0.0.1']],
    ['10.0.0.7/32', ['10.0.0.7']],
    ['255.255.255.252/30', ['255.255.255.253', '255.255.255.254']],
    ['fd00::/126', ['fd00::1', 'fd00::2', 'fd00::3']],
    ['fd00::/127', ['fd00::', 'fd00::1']],
    ['fd00::/128', ['fd00::']],
    [
      'feff:ffff:ffff:ffff:ffff:ffff:ffff:fffc/126',
      ['feff:ffff:ffff:ffff:ffff:ffff:ffff:fffd', 'feff:ffff:ffff:ffff:ffff:ffff:ffff:fffe', 'feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
    ],
  ])('of %s all but network, broadcast and anycast address', async (subnet, all) => {
    const id = await pool(subnet)
    expect(await takeAll(id)).toEqual(all)
    const middle = all[all.length >> 1]!
    await driver.releaseAddress(id, middle, 'e')
    expect(await take(id)).toBe(`${middle}/${subnet.split('/')[1]}`)
  })

  it('only those of the ranges, in address order', async () => {
    const id = await pool('10.0.0.0/24', { ranges: ['10.0.0.200-10.0.0.201', '10.0.0.64/31', '10.0.0.65-10.0.0.66', '10.0.0.9'] })
    expect(await takeAll(id)).toEqual(['10.0.0.9', '10.0.0.64', '10.0.0.65', '10.0.0.66', '10.0.0.200', '10.0.0.201'])
    expect(await take(id, { address: '10.0.0.100' })).toBe('10.0.0.100/24')
    expect(await take(id, { purpose: 'gateway' })).toBe('10.0.0.1/24')
  })

  it("never one that is reserved, nor a network's edge inside of a range", async () => {
    const id = await pool('10.0.0.0/29', { ranges: ['10.0.0.0/30', '10.0.0.7'], reserved: { nas: '10.0.0.2', edge: '10.0.0.7' } })
    expect(await takeAll(id)).toEqual(['10.0.0.1', '10.0.0.3'])
  })

  it('the gateway is the first of the subnet, or the one asked for', async () => {
    expect(await take(await pool('10.0.0.0/24', { ranges: ['10.0.0.128/25'] }), { purpose: 'gateway' })).toBe('10.0.0.1/24')
    const id = await pool('10.0.1.0/24')
    expect(await take(id, { purpose: 'gateway', address: '10.0.1.254' })).toBe('10.0.1.254/24')
    expect(await take(id)).toBe('10.0.1.1/24')
    expect(await take(await pool('fd00::/64'), { purpose: 'gateway' })).toBe('fd00::1/64')
  })

  it.each(['pool', 'driver', 'docker'])('serial (by option of the %s): the next after the last, wrapping around', async (where) => {
    if (where === 'driver') driver = ipam({ store, order: 'serial' })
    const options: Record<string, string> = where === 'pool' ? { serial: 'true' } : { 'com.docker.network.ipam.serial': 'true' }
    const id = await pool('10.0.0.0/29', where === 'driver' ? {} : { options })
    expect([await take(id), await take(id)]).toEqual(['10.0.0.1/29', '10.0.0.2/29'])
    await driver.releaseAddress(id, '10.0.0.1', 'e')
    expect(await take(id)).toBe('10.0.0.3/29')
    expect(await take(id, { address: '10.0.0.6' })).toBe('10.0.0.6/29')
    // A driver that starts anew goes on after the newest lease.
    driver = ipam({ store, order: where === 'driver' ? 'serial' : 'lowest' })
    expect([await take(id), await take(id), await take(id)]).toEqual(['10.0.0.4/29', '10.0.0.5/29', '10.0.0.1/29'])
  })

  it('from the MAC when the pool or the request says so', async () => {
    const mac = '02:42:ac:11:00:02'
    const id = await pool('fd00:1::/64', { options: { eui64: 'true' } })
    expect(await take(id, { purpose: 'gateway' })).toBe('fd00:1::1/64')
    expect(await take(id, { mac })).toBe('fd00:1::42:acff:fe11:2/64')
    await expect(take(id, { mac, owner: 'other' })).rejects.toMatchObject({ code: 'ERR_CNM_ADDRESS_IN_USE' })
    await expect(take(id)).rejects.toMatchObject({ code: 'ERR_CNM_INVALID_ARGUMENT', field: 'mac' })
    await expect(take(id, { mac: '02:42:ac:11:00' })).rejects.toMatchObject({ code: 'ERR_CNM_INVALID_ARGUMENT', field: 'mac' })
    const plain = await pool('fd00:2::/64')
    expect(await take(plain, { mac, options: { eui64: 'true' } })).toBe('fd00:2::42:acff:fe11:2/64')
    expect(await take(plain, { mac })).toBe('fd00:2::1/64')
    await expect(take(await pool('fd00:3::/80'), { mac, options: { eui64: 'true' } })).rejects.toMatchObject({
      code: 'ERR_CNM_INVALID_ARGUMENT',
    })
  })
})

describe('who has an address', () => {
  it('a static one stays with its owner, who may ask for it again, until it is released', async () => {
    const id = await pool('10.0.0.0/29')
    expect(await take(id, { address: '10.0.0.2', owner: 'db' })).toBe('10.0.0.2/29')
    expect(await take(id, { address: '10.0.0.2', owner: 'db' })).toBe('10.0.0.2/29')
    await expect(take(id, { address: '10.0.0.2', owner: 'web' })).rejects.toThrow('10.0.0.2 belongs to db')
    driver = ipam({ store })
    expect(await takeAll(id)).not.toContain('10.0.0.2')
    expect(await take(id, { address: '10.0.0.2', owner: 'db' })).toBe('10.0.0.2/29')
    expect((await driver.leases!(id)).find(({ owner }) => owner === 'db')).toEqual({
      pool: id,
      address: '10.0.0.2/29',
      owner: 'db',
      purpose: 'static',
    })
  })

  it('only the owner can release it, once', async () => {
    const id = await pool('10.0.0.0/29')
    await take(id, { owner: 'db' })
    await expect(driver.releaseAddress(id, '10.0.0.1', 'web')).rejects.toMatchObject({ code: 'ERR_CNM_ADDRESS_NOT_FOUND' })
    const twice = await Promise.allSettled([driver.releaseAddress(id, '10.0.0.1', 'db'), driver.releaseAddress(id, '10.0.0.1', 'db')])
    expect(twice.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    await expect(driver.releaseAddress(id, '10.0.0.1', 'db')).rejects.toMatchObject({ code: 'ERR_CNM_ADDRESS_NOT_FOUND' })
    await expect(driver.releaseAddress(id, '10.0.0.0', 'net')).rejects.toMatchObject({ code: 'ERR_CNM_ADDRESS_NOT_FOUND' })
  })

  it("a quarantined one is nobody's until it is released", async () => {
    const id = await pool('10.0.0.0/30')
    await take(id, { owner: 'db' })
    await driver.quarantineAddress!(id, '10.0.0.1', 'db')
    driver = ipam({ store })
    expect(await takeAll(id)).toEqual(['10.0.0.2'])
    await expect(take(id, { owner: 'db', address: '10.0.0.1' })).rejects.toThrow('quarantined')
    expect((await driver.leases!(id))[0]).toMatchObject({ address: '10.0.0.1/30', owner: 'db', quarantined: true })
    await driver.releaseAddress(id, '10.0.0.1', 'db')
    expect(await take(id)).toBe('10.0.0.1/30')
    await expect(driver.quarantineAddress!(id, '10.0.0.1', 'db')).rejects.toMatchObject({ code: 'ERR_CNM_ADDRESS_NOT_FOUND' })
  })

  it('two who share a store never get the same, and see what the other releases', async () => {
    const other = ipam({ store })
    const id = await pool('10.0.0.0/27')
    const all = await Promise.all(
      Array.from({ length: 30 }, (_, index) =>
        (index % 2 ? other : driver).requestAddress({ pool: id, owner: `e${index % 2}`, purpose: 'endpoint' }),
      ),
    )
    expect(new Set(all.map(({ address }) => address)).size).toBe(30)
    await expect(take(id)).rejects.toMatchObject({ code: 'ERR_CNM_ADDRESSES_EXHAUSTED' })
    const [lease] = await other.leases!(id)
    await other.releaseAddress(id, lease!.address.replace('/27', ''), lease!.owner)
    expect(await take(id)).toBe(lease!.address)
  })

  it('a static request wins an address that another driver has released', async () => {
    const other = ipam({ store })
    const id = await pool('10.0.0.0/29')
    await take(id, { address: '10.0.0.3', owner: 'a' })
    await other.releaseAddress(id, '10.0.0.3', 'a')
    expect(await take(id, { address: '10.0.0.3', owner: 'b' })).toBe('10.0.0.3/29')
  })
})

describe('status', () => {
  it('counts what is given, free for dynamic requests, and kept', async () => {
    const id = await pool('10.0.0.0/24', {
      ranges: ['10.0.0.0/28', '10.0.0.8/29', '10.0.0.255'],
      reserved: { nas: '10.0.0.4', tv: '10.0.0.99' },
    })
    expect(await driver.status!(id)).toEqual({ subnet: '10.0.0.0/24', size: '256', used: '0', free: '14', reserved: '4' })
    await take(id, { purpose: 'gateway' })
    await take(id)
    await take(id, { address: '10.0.0.200' })
    const counted = { subnet: '10.0.0.0/24', size: '256', used: '3', free: '12', reserved: '4' }
    expect(await driver.status!(id)).toEqual(counted)
    expect(await ipam({ store }).status!(id)).toEqual(counted)
  })

  it('saturates for huge subnets', async () => {
    const id = await pool('fd00::/32')
    await take(id)
    expect(await driver.status!(id)).toEqual({
      subnet: 'fd00::/32',
      size: '18446744073709551615',
      used: '1',
      free: '18446744073709551615',
      reserved: '1',
    })
    const exact = await pool('2001:db8::/64')
    expect(await driver.status!(exact)).toMatchObject({ size: '18446744073709551615', free: '18446744073709551615', reserved: '1' })
    const half = await pool('2001:db9::/65')
    expect(await driver.status!(half)).toMatchObject({ size: '9223372036854775808', free: '9223372036854775807' })
  })
})

describe("with a commit of the caller's", () => {
  it('a lease is real when the commit is, and the address is kept meanwhile', async () => {
    const id = await pool('10.0.0.0/29')
    const first = await driver.prepareAddress!({ pool: id, owner: 'a', purpose: 'endpoint' })
    const second = await driver.prepareAddress!({ pool: id, owner: 'b', purpose: 'endpoint' })
    expect([first.lease.address, second.lease.address]).toEqual(['10.0.0.1/29', '10.0.0.2/29'])
    expect(await driver.leases!(id)).toEqual([])
    await store.commit([...first.changes, { put: 'endpoint/a', value: { address: first.lease.address } }])
    first.committed()
    second.abandoned()
    expect(await take(id)).toBe('10.0.0.2/29')
    expect((await driver.leases!(id)).map(({ owner }) => owner)).toEqual(['a', 'e'])
    const release = await driver.prepareRelease!(id, '10.0.0.1', 'a')
    expect(await take(id)).toBe('10.0.0.3/29')
    await store.commit([...release.changes, { delete: 'endpoint/a' }])
    release.committed()
    expect(await take(id)).toBe('10.0.0.1/29')
  })

  it('a commit that comes too late conflicts', async () => {
    const id = await pool('10.0.0.0/29')
    const other = ipam({ store })
    const prepared = await driver.prepareAddress!({ pool: id, owner: 'a', purpose: 'endpoint' })
    await other.requestAddress({ pool: id, owner: 'b', purpose: 'endpoint' })
    await expect(store.commit(prepared.changes)).rejects.toMatchObject({ code: 'ERR_CNM_STORE_CONFLICT' })
    prepared.abandoned()
    expect(await take(id)).toBe('10.0.0.2/29')
  })
})

it('a store that fails gives nothing away', async () => {
  const id = await pool('10.0.0.0/30')
  const broken = ipam({ store: { ...bound(store), commit: () => Promise.reject(new Error('disk full')) } })
  await expect(broken.requestAddress({ pool: id, owner: 'e', purpose: 'endpoint' })).rejects.toThrow('disk full')
  await expect(broken.requestPool({ space: 'local', owner: 'e', family: 4 })).rejects.toThrow('disk full')
  expect(await broken.status!(id)).toMatchObject({ used: '0', free: '2' })
  expect(await driver.status!(id)).toMatchObject({ used: '0', free: '2' })
})

it('who takes an address reads the pools of its subnet, and no others', async () => {
  const [low, high] = ['10.1.0.0/24', '10.1.0.0/24'].map((subnet, index) => ({ subnet, ranges: [`10.1.0.${index * 128}/25`] }))
  const ids: string[] = []
  for (const request of [low!, high!, { subnet: '10.1.1.0/24' }, { subnet: '10.1.2.0/24' }])
    ids.push((await driver.requestPool({ space: 'local', owner: 'n', family: 4, ...request })).id)
  const read: string[] = []
  const list: Store['list'] = async (prefix, options) => {
    const found = await store.list(prefix, options)
    read.push(...found.map(({ key }) => key).filter((key) => key.startsWith('ipam/pool/')))
    return found
  }
  const other = ipam({ store: { ...bound(store), list } })
  await other.requestAddress({ pool: ids[0]!, owner: 'e', purpose: 'endpoint' })
  expect(read.sort()).toEqual([`ipam/pool/${ids[0]}`, `ipam/pool/${ids[1]}`].sort())
  await other.requestAddress({ pool: ids[0]!, owner: 'f', purpose: 'endpoint' })
  expect(read).toHaveLength(2)
})

const bound = (inner: Store): Store => ({
  name: inner.name,
  scope: inner.scope,
  get: (key) => inner.get(key),
  list: (prefix, options) => inner.list(prefix, options),
  commit: (changes, options) => inner.commit(changes, options),
  watch: (prefix, signal) => inner.watch(prefix, signal),
  close: () => inner.close(),
})
