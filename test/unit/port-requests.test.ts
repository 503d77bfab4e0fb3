import { describe, expect, it } from 'vitest'
import { parsePortList } from '../../src/controller/ports/ephemeral-ports.js'
import { readRequests } from '../../src/controller/ports/port-requests.js'
import { reservations, views } from '../../src/controller/ports/port-views.js'
import type { PortOptions } from '../../src/controller/options.js'

const BOTH = { families: [4, 6] as const }
const read = (option: PortOptions, publishing: Parameters<typeof readRequests>[1] = BOTH) => readRequests([option], publishing)[0]!
const refusal = (option: PortOptions, publishing: Parameters<typeof readRequests>[1] = BOTH) => {
  try {
    return read(option, publishing)
  } catch (error) {
    const { code, field, message } = error as { code: string; field: string; message: string }
    return { code, field, message }
  }
}

describe('what a request for ports means', () => {
  it('one port, on every address of both families', () => {
    const request = read({ container: 80, host: 8080 })
    expect(request).toEqual({ protocol: 'tcp', addresses: [undefined], containerPort: 80, count: 1, candidates: [8080] })
    const [view] = views(request, 8080)
    expect(view).toEqual({ protocol: 'tcp', hostPort: 8080, containerPort: 80 })
    expect(reservations(view!, BOTH)).toEqual([{ protocol: 'tcp', address: '::', port: 8080, bothFamilies: true }])
    expect(reservations(view!, { families: [4] })).toEqual([{ protocol: 'tcp', address: '0.0.0.0', port: 8080 }])
    expect(reservations(view!, { families: [6] })).toEqual([{ protocol: 'tcp', address: '::', port: 8080 }])
  })

  it('a free port, when none is named', () => {
    expect(read({ container: 80, protocol: 'udp' })).toEqual({ protocol: 'udp', addresses: [undefined], containerPort: 80, count: 1 })
  })

  it('one of a range of host ports', () => {
    expect(read({ container: 80, host: 9000, hostEnd: 9003 }).candidates).toEqual([9000, 9001, 9002, 9003])
  })

  it('a range onto a range', () => {
    expect(read({ container: 80, containerEnd: 89, host: 9000 })).toMatchObject({ count: 10, candidates: [9000] })
    expect(read({ container: 80, containerEnd: 89, host: 9000, hostEnd: 9009 })).toMatchObject({ count: 10, candidates: [9000] })
    expect(views(read({ container: 80, containerEnd: 89, host: 9000 }), 9000)).toEqual([
      { protocol: 'tcp', hostPort: 9000, hostPortEnd: 9009, containerPort: 80 },
    ])
  })

  it('several addresses, IPv4 in IPv6 clothes among them, each once', () => {
    expect(read({ container: 80, host: 1, address: ['192.0.2.1', '::ffff:192.0.2.1', '2001:DB8:0::1', '::'] }).addresses).toEqual([
      '192.0.2.1',
      '2001:db8::1',
      '::',
    ])
  })

  it('the address of the network, when the request names none', () => {
    expect(read({ container: 80, host: 1 }, { families: [4], address: '192.0.2.9' }).addresses).toEqual(['192.0.2.9'])
    expect(read({ container: 80, host: 1, address: '127.0.0.1' }, { families: [4], address: '192.0.2.9' }).addresses).toEqual(['127.0.0.1'])
  })

  it('the endpoint’s own port, and nothing of the host, where nothing is translated', () => {
    const request = read({ container: 80, containerEnd: 81, host: 8080 }, { families: [] })
    expect(request).toEqual({ protocol: 'tcp', addresses: [undefined], containerPort: 80, count: 2, candidates: [80] })
    expect(reservations(views(request, 80)[0]!, { families: [] })).toEqual([])
  })

  it.each<[PortOptions, string, string]>([
    [{ container: 80, containerEnd: 79 }, 'ports[0].containerEnd', 'comes before'],
    [{ container: 80, hostEnd: 90 }, 'ports[0].hostEnd', 'needs a first one'],
    [{ container: 80, host: 90, hostEnd: 89 }, 'ports[0].hostEnd', 'comes before'],
    [{ container: 80, containerEnd: 82, host: 90, hostEnd: 91 }, 'ports[0].hostEnd', '3 container ports cannot be mapped to 2'],
    [{ container: 80, containerEnd: 81, host: 90, hostEnd: 99 }, 'ports[0].hostEnd', '2 container ports cannot be mapped to 10'],
    [{ container: 80, containerEnd: 90, host: 65530 }, 'ports[0].host', 'goes beyond 65535'],
    [{ container: 80, address: 'localhost' }, 'ports[0].address', 'not an address'],
    [{ container: 80, address: 'fe80::1%eth0' }, 'ports[0].address', 'not an address'],
  ])('refuses %j', (option, field, message) => {
    expect(refusal(option)).toMatchObject({ code: 'ERR_CNM_INVALID_ARGUMENT', field, message: expect.stringContaining(message) as string })
  })

  it('refuses an address of a family that leads nowhere', () => {
    expect(refusal({ container: 80, address: '::1' }, { families: [4] })).toMatchObject({
      field: 'ports[0].address',
      message: expect.stringContaining('no IPv6 address') as string,
    })
  })
})

it('reads lists of ports as the kernel writes them', () => {
  expect([...parsePortList('8080,9000-9003\n')]).toEqual([8080, 9000, 9001, 9002, 9003])
  expect([...parsePortList('\n')]).toEqual([])
})
