import { describe, expect, it } from 'vitest'
import { bridge } from '../../drivers/bridge/index.js'
import type { DriverContext, NetworkView } from '../../src/contracts/index.js'
import { hostFacts, IPV6, networkView } from '../drivers/views.js'

const NAMED = { 'com.docker.network.bridge.name': 'br0' }

async function decide(raw: Record<string, string>, host = hostFacts(), more: Partial<NetworkView<never>> = {}, others: NetworkView[] = []) {
  const driver = bridge()
  const context: DriverContext = {
    instance: 'cnm',
    directory: '/nonexistent',
    changed: () => undefined,
    networks: () => others,
    warn: () => undefined,
  }
  await driver.start!(context)
  return driver.beforeCreate!(networkView(driver, raw, { ...more, internal: true }), host, new AbortController().signal)
}

describe('whose a bridge is', () => {
  it('is ours when there is none', async () => {
    expect(await decide({})).toEqual({ adopted: false, addresses: [], routeLocalnet: '0' })
    expect(await decide(NAMED)).toEqual({ adopted: false, addresses: [], routeLocalnet: '0' })
  })

  it('is ours when an earlier life of this network made it', async () => {
    const network = networkView(bridge())
    const host = hostFacts([{ name: 'br-0123456789ab', alias: `libcnm:cnm:network/${network.id}` }])
    expect(await decide({}, host)).toEqual({ adopted: false, addresses: [], routeLocalnet: '0' })
  })

  it('is adopted, with the addresses that it has, when the user named it', async () => {
    expect(await decide(NAMED, hostFacts([{ name: 'br0', addresses: ['10.10.0.1/24'] }]))).toEqual({
      adopted: true,
      addresses: ['10.10.0.1/24'],
      routeLocalnet: '0',
    })
  })

  it('is refused when another network or another instance owns it', async () => {
    const alias = 'libcnm:other:network/ff'
    await expect(decide(NAMED, hostFacts([{ name: 'br0', alias }]))).rejects.toMatchObject({
      code: 'ERR_CNM_LINK_EXISTS',
      message: expect.stringContaining(alias) as string,
    })
    const rival = { ...networkView(bridge(), NAMED), id: 'f'.repeat(64), name: 'back' }
    await expect(decide(NAMED, hostFacts(), {}, [rival])).rejects.toMatchObject({
      message: expect.stringContaining('network back') as string,
    })
  })

  it('is refused when it is no bridge, or nobody named it', async () => {
    await expect(decide(NAMED, hostFacts([{ name: 'br0', type: 'dummy' }]))).rejects.toThrow('no bridge but of type dummy')
    await expect(decide({}, hostFacts([{ name: 'br-0123456789ab' }]))).rejects.toThrow('has a link of this name already')
  })

  it('must be there for an unmanaged network', async () => {
    await expect(decide({ ...NAMED, mode: 'unmanaged' })).rejects.toMatchObject({ code: 'ERR_CNM_LINK_NOT_FOUND' })
    await expect(decide({ mode: 'unmanaged' })).rejects.toThrow('com.docker.network.bridge.name')
    expect(await decide({ ...NAMED, mode: 'unmanaged' }, hostFacts([{ name: 'br0' }]))).toMatchObject({ adopted: true })
  })
})

describe('what a bridge network refuses', () => {
  it.each([
    ['fe80::/10', true],
    ['fe80::/48', true],
    ['fe80::1:0:0:0/112', true],
    ['fe80::100/120', true],
    ['::/0', true],
    ['fe80::/64', false],
    ['fe80:0:0:1::/64', false],
    ['fe80:1::/48', false],
    ['fd00::/8', false],
    ['2001:db8::/32', false],
  ])('subnet %s: %s', async (subnet, refused) => {
    const decision = decide({}, hostFacts(), { ipv6: true, subnets: [{ subnet, family: 6, reserved: {} }] })
    if (refused) await expect(decision).rejects.toThrow('clashes with the link-local prefix fe80::/64')
    else expect(await decision).toMatchObject({ adopted: false })
  })

  it('an MTU that IPv6 cannot live with', async () => {
    await expect(decide({ mtu: '1279' }, hostFacts(), IPV6)).rejects.toMatchObject({
      code: 'ERR_CNM_INVALID_ARGUMENT',
      field: 'options.mtu',
    })
    expect(await decide({ mtu: '1279' })).toMatchObject({ adopted: false })
  })

  it('an MTU above that of an adopted bridge', async () => {
    await expect(decide({ ...NAMED, mtu: '9000' }, hostFacts([{ name: 'br0' }]))).rejects.toThrow('not ours to change')
  })

  it('a VRF that is not there, or a bridge that it would have to move there', async () => {
    await expect(decide({ vrf: 'red' })).rejects.toThrow('there is no VRF red')
    await expect(decide({ vrf: 'red' }, hostFacts([{ name: 'red', type: 'dummy' }]))).rejects.toThrow('no VRF but of type dummy')
    await expect(decide({ ...NAMED, vrf: 'red' }, hostFacts([{ name: 'br0' }, { name: 'red', type: 'vrf' }]))).rejects.toThrow(
      'not ours to move',
    )
    expect(await decide({ vrf: 'red' }, hostFacts([{ name: 'red', type: 'vrf' }]))).toMatchObject({ adopted: false })
  })

  it('IPv6 on a kernel without it', async () => {
    await expect(decide({}, hostFacts([], { ipv6: false }), IPV6)).rejects.toMatchObject({ code: 'ERR_CNM_NOT_SUPPORTED' })
  })
})
