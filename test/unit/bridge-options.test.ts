import { describe, expect, it } from 'vitest'
import { bridge } from '../../drivers/bridge/index.js'

const driver = bridge()
const network = (raw: Record<string, string>) => driver.networkOptions(raw)
const refusal = (raw: Record<string, string>) => {
  try {
    return network(raw)
  } catch (error) {
    const { code, message, field } = error as { code: string; message: string; field: string }
    return { code, message, field }
  }
}

describe('options of the bridge driver', () => {
  it('reads what users of other systems write', () => {
    expect(
      network({
        'com.docker.network.bridge.name': 'br-front',
        'com.docker.network.bridge.enable_icc': 'false',
        'com.docker.network.bridge.inhibit_ipv4': 'true',
        'com.docker.network.driver.mtu': '1450',
        'com.docker.network.advertise_addr_nmsgs': '1',
        'com.docker.network.advertise_addr_ms': '250',
        metric: '200',
        no_default_route: 'true',
      }),
    ).toMatchObject({
      bridge: 'br-front',
      icc: false,
      inhibitIpv4: true,
      mtu: 1450,
      announcements: 1,
      announcementInterval: 250,
      metric: 200,
      defaultRoute: false,
    })
  })

  it('takes 0 and auto for an MTU of its own choice', () => {
    expect(network({ mtu: '0' }).mtu).toBe('auto')
    expect(network({ mtu: 'auto' }).mtu).toBe('auto')
    expect(network({}).mtu).toBe('auto')
  })

  it('names the nearest option for one that it does not know', () => {
    expect(refusal({ 'com.docker.network.bridge.enable_ic': 'true' })).toMatchObject({
      code: 'ERR_CNM_UNKNOWN_OPTION',
      message: expect.stringContaining('did you mean com.docker.network.bridge.enable_icc?') as string,
    })
  })

  it('says which value would be right', () => {
    expect(refusal({ mode: 'half' })).toMatchObject({
      code: 'ERR_CNM_INVALID_ARGUMENT',
      field: 'options.mode',
      message: expect.stringContaining('managed, unmanaged') as string,
    })
    expect(refusal({ mtu: '67' })).toMatchObject({ code: 'ERR_CNM_INVALID_ARGUMENT', field: 'options.mtu' })
    expect(refusal({ mtu: '1e3' })).toMatchObject({ code: 'ERR_CNM_INVALID_ARGUMENT' })
    expect(refusal({ 'com.docker.network.bridge.name': 'a name' })).toMatchObject({ code: 'ERR_CNM_INVALID_ARGUMENT' })
    expect(refusal({ 'com.docker.network.bridge.name': 'sixteen-bytes-xx' })).toMatchObject({ code: 'ERR_CNM_INVALID_ARGUMENT' })
    expect(refusal({ 'com.docker.network.advertise_addr_nmsgs': '4' })).toMatchObject({ code: 'ERR_CNM_INVALID_ARGUMENT' })
  })

  it('does not take one thing under two names', () => {
    expect(refusal({ mtu: '1400', 'com.docker.network.driver.mtu': '1500' })).toMatchObject({
      message: expect.stringContaining('two names for one thing') as string,
    })
  })

  it('explains why there is no default bridge', () => {
    expect(refusal({ 'com.docker.network.bridge.default_bridge': 'true' })).toMatchObject({
      code: 'ERR_CNM_INVALID_ARGUMENT',
      message: expect.stringContaining('no default network') as string,
    })
    expect(network({ 'com.docker.network.bridge.default_bridge': 'false' })).toMatchObject({ mode: 'managed' })
  })

  it('reads options of endpoints', () => {
    expect(driver.endpointOptions!({ host_interface_name: 'web0' })).toEqual({ hostInterface: 'web0' })
    expect(() => driver.endpointOptions!({ host_interface_nam: 'web0' })).toThrow('did you mean host_interface_name?')
  })
})
