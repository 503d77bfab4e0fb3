import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ipam, nullIpam } from '../../drivers/ipam/index.js'
import type { AddressRequest, IpamDriver } from '../../src/contracts/ipam-driver.js'
import type { Store, StoreEntry } from '../../src/contracts/store.js'
import { memory } from '../../src/store/memory.js'

let store: Store
let driver: IpamDriver
let before: StoreEntry[]
const ids = { v4: '', v6: '' }

beforeEach(async () => {
  store = memory()
  driver = ipam({ store })
  const request = { space: 'local', owner: 'net' }
  ids.v4 = (await driver.requestPool({ ...request, family: 4, subnet: '10.0.0.0/24', reserved: { nas: '10.0.0.5' } })).id
  ids.v6 = (await driver.requestPool({ ...request, family: 6, subnet: 'fd00::/64' })).id
  await driver.requestAddress({ pool: ids.v4, owner: 'gate', purpose: 'gateway' })
  before = await store.list('')
})

/** Nothing that is refused leaves a trace: not in the store, not in what is free. */
afterEach(async () => {
  expect(await store.list('')).toEqual(before)
  expect(await driver.status!(ids.v4)).toMatchObject({ used: '1', free: '252', reserved: '3' })
  expect(await driver.status!(ids.v6)).toMatchObject({ used: '0', reserved: '1' })
  expect((await driver.requestAddress({ pool: ids.v4, owner: 'e', purpose: 'endpoint' })).address).toBe('10.0.0.2/24')
})

type Case = [what: string, request: Record<string, unknown>, code: string, field: string | undefined, says: RegExp]
const INVALID = 'ERR_CNM_INVALID_ARGUMENT'

const pools: Case[] = [
  ['host bits', { subnet: '10.1.2.3/24' }, INVALID, 'subnet', /host bits set: the network is 10\.1\.2\.0\/24/],
  ['host bits in IPv6', { family: 6, subnet: 'fd01::1/64' }, INVALID, 'subnet', /the network is fd01::\/64/],
  ['IPv6 for IPv4', { subnet: 'fd01::/64' }, INVALID, 'subnet', /is not IPv4/],
  ['IPv4 for IPv6', { family: 6, subnet: '10.1.0.0/24' }, INVALID, 'subnet', /is not IPv6/],
  ['no prefix length', { subnet: '10.1.0.0' }, INVALID, 'subnet', /no prefix length/],
  ['prefix length 0', { subnet: '0.0.0.0/0' }, INVALID, 'subnet', /prefix length is 0/],
  ['prefix length 0 in IPv6', { family: 6, subnet: '::/0' }, INVALID, 'subnet', /prefix length is 0/],
  ['prefix length 33', { subnet: '10.1.0.0/33' }, INVALID, 'subnet', /10\.1\.0\.0\/33/],
  ['prefix length 129', { family: 6, subnet: 'fd01::/129' }, INVALID, 'subnet', /fd01::\/129/],
  ['prefix length 08', { subnet: '10.0.0.0/08' }, INVALID, 'subnet', /10\.0\.0\.0\/08/],
  ['prefix length -1', { subnet: '10.1.0.0/-1' }, INVALID, 'subnet', /not an IPv4 address/],
  ['octal', { subnet: '010.1.0.0/24' }, INVALID, 'subnet', /leading zero/],
  ['three parts', { subnet: '10.1.0/24' }, INVALID, 'subnet', /10\.1\.0\/24/],
  ['256', { subnet: '10.1.256.0/24' }, INVALID, 'subnet', /256/],
  ['white space', { subnet: ' 10.1.0.0/24' }, INVALID, 'subnet', /not an IPv4 address/],
  ['empty text', { subnet: '' }, INVALID, 'subnet', /not an IPv4 address/],
  ['words', { subnet: 'subnet' }, INVALID, 'subnet', /not an IPv4 address/],
  ['a number', { subnet: 167772160 }, INVALID, 'subnet', /string/],
  ['a zone', { family: 6, subnet: 'fe80::%eth0/64' }, INVALID, 'subnet', /zone/],
  ['IPv4-mapped', { family: 6, subnet: '::ffff:10.0.0.0/120' }, INVALID, 'subnet', /IPv4-mapped/],
  ['two gaps', { family: 6, subnet: 'fd01::1::/64' }, INVALID, 'subnet', /fd01::1::/],
  ['loopback', { subnet: '127.0.0.0/24' }, INVALID, 'subnet', /loopback/],
  ['around loopback', { subnet: '64.0.0.0/2' }, INVALID, 'subnet', /loopback/],
  ['multicast', { subnet: '239.1.0.0/24' }, INVALID, 'subnet', /multicast/],
  ['IPv6 multicast', { family: 6, subnet: 'ff02::/64' }, INVALID, 'subnet', /multicast/],
  ['overlap', { subnet: '10.0.0.128/25' }, 'ERR_CNM_POOL_OVERLAP', 'subnet', /overlaps 10\.0\.0\.0\/24, which belongs to net/],
  ['duplicate', { subnet: '10.0.0.0/24' }, 'ERR_CNM_POOL_OVERLAP', 'subnet', /belongs to net/],
  ['too large a size', { subnet: '0.0.0.0/4' }, 'ERR_CNM_POOLS_EXHAUSTED', 'subnet', /smaller than that/],
  ['range outside', { subnet: '10.1.0.0/24', ranges: ['10.1.1.0/25'] }, INVALID, 'ranges[0]', /not inside of the subnet 10\.1\.0\.0\/24/],
  ['range larger', { subnet: '10.1.0.0/24', ranges: ['10.1.0.0/23'] }, INVALID, 'ranges[0]', /not inside/],
  ['range with host bits', { subnet: '10.1.0.0/24', ranges: ['10.1.0.1/25'] }, INVALID, 'ranges[0]', /the network is 10\.1\.0\.0\/25/],
  ['range backwards', { subnet: '10.1.0.0/24', ranges: ['10.1.0.9', '10.1.0.9-10.1.0.8'] }, INVALID, 'ranges[1]', /ends before/],
  ['range of three', { subnet: '10.1.0.0/24', ranges: ['10.1.0.1-10.1.0.2-10.1.0.3'] }, INVALID, 'ranges[0]', /not a range/],
  ['range of the other family', { subnet: '10.1.0.0/24', ranges: ['fd00::/64'] }, INVALID, 'ranges[0]', /not IPv4/],
  ['range without a subnet', { ranges: ['172.16.0.0/25'] }, INVALID, 'ranges', /needs the subnet/],
  ['ranges as text', { subnet: '10.1.0.0/24', ranges: '10.1.0.0/25' }, INVALID, 'ranges', /Array/],
  ['reserved outside', { subnet: '10.1.0.0/24', reserved: { nas: '10.2.0.1' } }, INVALID, 'reserved.nas', /not in the subnet/],
  [
    'reserved twice',
    { subnet: '10.1.0.0/24', reserved: { nas: '10.1.0.1', tv: '10.1.0.1' } },
    INVALID,
    'reserved.tv',
    /reserved for nas already/,
  ],
  [
    'reserved with prefix',
    { subnet: '10.1.0.0/24', reserved: { nas: '10.1.0.1/24' } },
    INVALID,
    'reserved.nas',
    /prefix length where an address/,
  ],
  ['reserved without a subnet', { reserved: { nas: '10.1.0.1' } }, INVALID, 'reserved', /need the subnet/],
  ['exclude that is no prefix', { exclude: ['10.0.0.0/24', 'eth0'] }, INVALID, 'exclude[1]', /eth0/],
  ['family 5', { family: 5 }, INVALID, 'family', /5/],
  ['no owner', { owner: '' }, INVALID, 'owner', /length/],
  ['a space with a slash', { space: 'a/b' }, INVALID, 'space', /letters/],
  ['an unknown field', { subnets: '10.1.0.0/24' }, INVALID, 'subnets', /never|unknown|key/i],
  ['an unknown option', { options: { seriall: 'true' } }, 'ERR_CNM_UNKNOWN_OPTION', 'options.seriall', /did you mean serial\?/],
  ['an option with a bad value', { options: { serial: 'maybe' } }, INVALID, 'options.serial', /true or false/],
  ['MAC addresses in IPv4', { options: { eui64: 'true' } }, INVALID, 'options.eui64', /IPv6/],
  ['MAC addresses in a small subnet', { family: 6, subnet: 'fd01::/65', options: { eui64: 'true' } }, INVALID, 'options.eui64', /\/64/],
]

describe('a pool is refused for', () => {
  it.each(pools)('%s', async (_what, request, code, field, says) => {
    await refuses(() => driver.requestPool({ space: 'local', owner: 'x', family: 4, ...request }), code, field, says)
  })
  it('no request at all', () => refuses(() => driver.requestPool(undefined as never), INVALID, 'request', /Object/))
})

const IN_USE = 'ERR_CNM_ADDRESS_IN_USE'
const OUTSIDE = 'ERR_CNM_ADDRESS_OUT_OF_RANGE'
const addresses: Case[] = [
  ['outside', { address: '10.0.1.1' }, OUTSIDE, 'address', /not in the subnet 10\.0\.0\.0\/24/],
  ['a gateway outside', { purpose: 'gateway', address: '192.168.0.1' }, OUTSIDE, 'address', /not in the subnet/],
  ['the network address', { address: '10.0.0.0' }, OUTSIDE, 'address', /is the network address of 10\.0\.0\.0\/24/],
  ['the broadcast address', { address: '10.0.0.255' }, OUTSIDE, 'address', /is the broadcast address of 10\.0\.0\.0\/24/],
  ['the anycast address', { pool: 'v6', address: 'fd00::' }, OUTSIDE, 'address', /anycast address/],
  ['a duplicate', { address: '10.0.0.1' }, IN_USE, 'address', /10\.0\.0\.1 belongs to gate/],
  ['a duplicate gateway', { purpose: 'gateway', address: '10.0.0.1' }, IN_USE, 'address', /belongs to gate/],
  ['a reserved one', { address: '10.0.0.5' }, IN_USE, 'address', /10\.0\.0\.5 is reserved for nas/],
  ['the wrong family', { address: 'fd00::1' }, INVALID, 'address', /not IPv4/],
  ['IPv4 in IPv6', { pool: 'v6', address: '10.0.0.9' }, INVALID, 'address', /not IPv6/],
  ['a zone', { pool: 'v6', address: 'fd00::1%eth0' }, INVALID, 'address', /zone/],
  ['IPv4-mapped', { pool: 'v6', address: '::ffff:10.0.0.9' }, INVALID, 'address', /IPv4-mapped/],
  ['a prefix length', { address: '10.0.0.9/24' }, INVALID, 'address', /prefix length where an address/],
  ['words', { address: 'any' }, INVALID, 'address', /not an IPv4 address/],
  ['no address but a number', { address: 9 }, INVALID, 'address', /string/],
  ['another purpose', { purpose: 'router' }, INVALID, 'purpose', /router/],
  ['no owner', { owner: '' }, INVALID, 'owner', /length/],
  ['an unknown pool', { pool: 'local/10.9.0.0-24' }, 'ERR_CNM_POOL_NOT_FOUND', undefined, /no pool local\/10\.9\.0\.0-24/],
  ['a pool that can be none', { pool: 'Nonsense' }, 'ERR_CNM_POOL_NOT_FOUND', undefined, /no pool Nonsense/],
  ['an unknown option', { options: { sticky: '1' } }, 'ERR_CNM_UNKNOWN_OPTION', 'options.sticky', /sticky/],
]

describe('an address is refused for', () => {
  it.each(addresses)('%s', async (_what, request, code, field, says) => {
    const pool = request.pool === 'v6' ? ids.v6 : (request.pool ?? ids.v4)
    await refuses(() => driver.requestAddress({ owner: 'x', purpose: 'endpoint', ...request, pool } as AddressRequest), code, field, says)
  })
})

describe('other calls are refused for', () => {
  it('a pool that does not exist', async () => {
    for (const call of [
      () => driver.releasePool('local/10.9.0.0-24'),
      () => driver.leases!('local/10.9.0.0-24'),
      () => driver.status!('local/10.9.0.0-24'),
      () => driver.releaseAddress('local/10.9.0.0-24', '10.9.0.1', 'x'),
      () => driver.quarantineAddress!('../../x', '10.9.0.1', 'x'),
    ]) {
      await refuses(call, 'ERR_CNM_POOL_NOT_FOUND', undefined, /no pool/)
    }
  })
  it('an address that is none', () =>
    refuses(() => driver.releaseAddress(ids.v4, '10.0.0.1/24', 'gate'), INVALID, 'address', /prefix length/))
})

describe('a driver is refused for', () => {
  const bad: [string, Record<string, unknown>, string][] = [
    ['sources that are no list', { pools: '172.16.0.0/12' }, 'pools'],
    ['a source without a base', { pools: [{ size: 24 }] }, 'pools[0]'],
    ['a base with host bits', { pools: [{ base: '172.16.0.1/12', size: 24 }] }, 'pools[0].base'],
    [
      'a size larger than its base',
      {
        pools: [
          { base: '172.16.0.0/12', size: 24 },
          { base: '10.0.0.0/16', size: 8 },
        ],
      },
      'pools[1].size',
    ],
    ['a size past the end', { pools: [{ base: '10.0.0.0/16', size: 33 }] }, 'pools[0].size'],
    ['a size that is no number', { globalPools: [{ base: 'fd00::/48', size: '64' }] }, 'globalPools[0].size'],
    ['another order', { order: 'random' }, 'order'],
  ]
  it.each(bad)('%s', (_what, options, field) => {
    expect(() => ipam({ store, ...options })).toThrow(expect.objectContaining({ code: INVALID, field }))
  })
})

it('the null driver has no subnets and no addresses', async () => {
  const none = nullIpam()
  const { id } = await none.requestPool({ space: 'local', owner: 'n', family: 4 })
  expect(await none.requestAddress({ pool: id, owner: 'e', purpose: 'endpoint' })).toEqual({ pool: id, owner: 'e', address: '' })
  await refuses(() => none.requestPool({ space: 'local', owner: 'n', family: 4, subnet: '10.1.0.0/24' }), INVALID, 'subnet', /no subnets/)
  await refuses(
    () => none.requestAddress({ pool: id, owner: 'e', purpose: 'endpoint', address: '10.1.0.1' }),
    INVALID,
    'address',
    /no addresses/,
  )
})

async function refuses(call: () => Promise<unknown>, code: string, field: string | undefined, says: RegExp): Promise<void> {
  const error = await call().then(
    (result) => expect.fail(`not refused: ${JSON.stringify(result)}`),
    (failure: unknown) => failure,
  )
  expect(error).toMatchObject({ code, ...(field === undefined ? {} : { field }) })
  expect((error as Error).message).toMatch(says)
}
