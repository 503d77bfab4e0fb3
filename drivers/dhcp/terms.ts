import type { Lease } from '../../src/contracts/index.js'
import { OPTION } from './wire/codes.js'
import { addressOption, addressText, secondsOption, type DhcpMessage } from './wire/message.js'

/** What a server has granted. Times are those of performance.now(): a clock that is set neither ends nor prolongs a lease. */
export interface Terms {
  address: string
  prefix: number
  gateway?: string
  server: string
  /** MAC that the answer came from: the way to the server. */
  serverMac: string
  /** When to ask this server to renew, and when to ask anybody; absent: never. */
  renew?: number
  rebind?: number
  /** Absent: never. */
  expires?: number
}

const FOREVER = 0xffffffff
/** RFC 2131, section 4.4.5. */
const RENEW_AFTER = 0.5
const REBIND_AFTER = 0.875

/** `undefined` for an acknowledgement that lacks what it must have. @param sent when it was asked for: the lease counts from then */
export function termsOf({ yourAddress, options }: DhcpMessage, serverMac: string, sent: number): Terms | undefined {
  const server = addressOption(options, OPTION.serverId)
  const time = secondsOption(options, OPTION.leaseTime)
  if (server === undefined || time === undefined || time === 0 || yourAddress === '0.0.0.0') return undefined
  const terms: Terms = { address: yourAddress, prefix: prefixOf(yourAddress, options), server, serverMac }
  const gateway = gatewayOf(options)
  if (gateway !== undefined) terms.gateway = gateway
  if (time === FOREVER) return terms
  const at = (seconds: number): number => sent + seconds * 1000
  const rebind = within(secondsOption(options, OPTION.rebindingTime), time) ?? time * REBIND_AFTER
  const renew = within(secondsOption(options, OPTION.renewalTime), rebind) ?? Math.min(time * RENEW_AFTER, rebind)
  return { ...terms, renew: at(renew), rebind: at(rebind), expires: at(time) }
}

const within = (seconds: number | undefined, limit: number): number | undefined =>
  seconds === undefined || seconds === 0 || seconds > limit ? undefined : seconds

/** Without a mask, that of the address's class. */
function prefixOf(address: string, options: DhcpMessage['options']): number {
  const mask = addressOption(options, OPTION.subnetMask)
  if (mask !== undefined) return mask.split('.').reduce((bits, part) => bits + (Number(part).toString(2).match(/1/g)?.length ?? 0), 0)
  const first = Number(address.split('.')[0])
  return first < 128 ? 8 : first < 192 ? 16 : 24
}

/** Where there are classless routes, the router option is not looked at (RFC 3442). Of those, the default route counts. */
function gatewayOf(options: DhcpMessage['options']): string | undefined {
  const routes = options.get(OPTION.classlessRoutes)
  if (routes === undefined) return addressOption(options, OPTION.routers)
  for (let at = 0; at < routes.length;) {
    const bits = routes[at]!
    const router = at + 1 + Math.ceil(bits / 8)
    if (bits > 32 || router + 4 > routes.length) return undefined
    if (bits === 0) {
      const text = addressText(routes.subarray(router, router + 4))
      return text === '0.0.0.0' ? undefined : text
    }
    at = router + 4
  }
  return undefined
}

const toClock = (time: number): number => Math.round(time - performance.now() + Date.now())
const fromClock = (time: number): number => time - Date.now() + performance.now()

/** What is kept of the terms, for a controller that takes over: by the clock, which is all that two processes share. */
export function leaseOf(terms: Terms, given: Lease): Lease {
  const data: Record<string, string> = { server: terms.server, serverMac: terms.serverMac }
  if (given.data?.static !== undefined) data.static = given.data.static
  if (terms.renew !== undefined) data.renew = String(toClock(terms.renew))
  if (terms.rebind !== undefined) data.rebind = String(toClock(terms.rebind))
  const { pool, owner } = given
  const expires = terms.expires === undefined ? undefined : toClock(terms.expires)
  return { pool, owner, address: `${terms.address}/${terms.prefix}`, gateway: terms.gateway, expires, data }
}

/** The other way round; `undefined` for a lease that no server has granted. */
export function termsFrom({ address, gateway, expires, data }: Lease): Terms | undefined {
  const [host, prefix] = address.split('/')
  if (!host || data?.server === undefined || data.serverMac === undefined) return undefined
  const number = (text: string | undefined): number | undefined => (text === undefined ? undefined : fromClock(Number(text)))
  const { server, serverMac } = data
  return {
    address: host,
    prefix: Number(prefix),
    gateway,
    server,
    serverMac,
    renew: number(data.renew),
    rebind: number(data.rebind),
    expires: expires === undefined ? undefined : fromClock(expires),
  }
}
