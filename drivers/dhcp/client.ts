import { CnmError, type LeaseContext } from '../../src/contracts/index.js'
import { EVERYBODY, Exchange, NO_ADDRESS, type Answer, type Destination, type Draft } from './exchange.js'
import { identityOptions, type ClientIdKind } from './identity.js'
import type { PacketPort } from './packet-port.js'
import { termsOf, type Terms } from './terms.js'
import { wait } from './wait.js'
import { OPTION } from './wire/codes.js'
import { addressBytes, addressOption, type DhcpMessage } from './wire/message.js'

/** What a client may accept. */
export interface Wishes {
  clientId: ClientIdKind
  /** Milliseconds for an address to be got. */
  timeout: number
  /** Only this address will do. */
  only?: string
  /** Only addresses for which this holds. */
  acceptable(address: string): boolean
}

const PARAMETERS = [OPTION.subnetMask, OPTION.classlessRoutes, OPTION.routers, OPTION.leaseTime, OPTION.renewalTime, OPTION.rebindingTime]
/** Each wait is twice the one before (RFC 2131, section 4.1), give or take a tenth. */
const FIRST_WAIT = 1000
const LONGEST_WAIT = 64_000
const SPREAD = 0.1
/** How often a request is sent before the offer is given up. */
const REQUESTS = [1000, 2000, 4000]
/** How often an address of before is asked for, before any is. */
const REBOOT_REQUESTS = [1000, 2000]

/** `refused`: the server says that the address must not be used. */
export type Outcome = Terms | 'refused' | undefined

/** The exchanges of a DHCP client (RFC 2131, section 4.4) on one interface. What the client is at a time is the caller's to know. */
export class DhcpClient {
  readonly #port: PacketPort
  readonly #context: LeaseContext
  readonly #wishes: Wishes
  readonly #identity: ReadonlyMap<number, Uint8Array>

  constructor(port: PacketPort, owner: string, context: LeaseContext, wishes: Wishes) {
    this.#port = port
    this.#context = context
    this.#wishes = wishes
    this.#identity = identityOptions(wishes.clientId, owner, context)
  }

  /**
   * DISCOVER to ACK.
   * @param wanted an address to be had rather than others
   * @throws CnmError ERR_CNM_TIMEOUT when no server answers, ERR_CNM_ADDRESS_IN_USE, ERR_CNM_ADDRESS_OUT_OF_RANGE when
   *   those that do offer something else than what will do
   */
  obtain(wanted: string | undefined, signal: AbortSignal): Promise<Terms> {
    return this.#exchange(async (exchange) => {
      const end = performance.now() + this.#wishes.timeout
      let unwanted: string | undefined
      const offered = (answer: Answer): Answer | undefined => {
        const { type, yourAddress, options } = answer.message
        if (type !== 'offer' || addressOption(options, OPTION.serverId) === undefined) return undefined
        if (this.#willDo(yourAddress)) return answer
        unwanted = yourAddress
        return undefined
      }
      while (performance.now() < end) {
        const draft = this.#draft('discover', NO_ADDRESS, wanted === undefined ? {} : { [OPTION.requestedAddress]: addressBytes(wanted) })
        const offer = await exchange.ask(draft, EVERYBODY, waits(end - performance.now()), offered, signal)
        const terms = offer === undefined ? undefined : await this.#select(exchange, offer.message, signal)
        if (terms !== undefined && terms !== 'refused') return terms
        await wait(FIRST_WAIT, signal)
      }
      throw this.#nothing(unwanted)
    })
  }

  /** Asks whether an address of before still is the client's (INIT-REBOOT). */
  confirm(address: string, signal: AbortSignal): Promise<Outcome> {
    return this.#exchange((exchange) => {
      const draft = this.#draft('request', NO_ADDRESS, { [OPTION.requestedAddress]: addressBytes(address) })
      return exchange.ask(draft, EVERYBODY, REBOOT_REQUESTS, (answer) => this.#decided(answer), signal)
    })
  }

  /** Asks its own server (RENEWING) or any (REBINDING) for more time, until so many milliseconds are over. */
  extend({ address, server, serverMac }: Terms, ask: 'server' | 'anybody', time: number, signal: AbortSignal): Promise<Outcome> {
    return this.#exchange((exchange) => {
      const to: Destination = ask === 'server' ? { address: server, mac: serverMac } : EVERYBODY
      return exchange.ask(this.#draft('request', address), to, extensionWaits(time), (answer) => this.#decided(answer), signal)
    })
  }

  /** Gives the address back. Nothing answers to that. */
  release({ address, server, serverMac }: Terms): Promise<void> {
    return this.#exchange(async (exchange) => {
      const draft = this.#draft('release', address, { [OPTION.serverId]: addressBytes(server) }, [])
      exchange.send(draft, { address: server, mac: serverMac })
    })
  }

  /** Whether the address is on the interface's namespace. */
  holds(address: string): Promise<boolean> {
    return this.#port.hasAddress(this.#context.namespace, address)
  }

  async #select(exchange: Exchange, { yourAddress, options }: DhcpMessage, signal: AbortSignal): Promise<Outcome> {
    const serverId = options.get(OPTION.serverId)!
    const draft = this.#draft('request', NO_ADDRESS, {
      [OPTION.requestedAddress]: addressBytes(yourAddress),
      [OPTION.serverId]: serverId,
    })
    return exchange.ask(draft, EVERYBODY, REQUESTS, (answer) => this.#decided(answer), signal)
  }

  #decided({ message, from, sent }: Answer): Outcome {
    if (message.type === 'nak') return 'refused'
    if (message.type !== 'ack' || !this.#willDo(message.yourAddress)) return undefined
    return termsOf(message, from, sent)
  }

  #willDo(address: string): boolean {
    const { only, acceptable } = this.#wishes
    return (only === undefined || only === address) && acceptable(address)
  }

  #draft(type: Draft['type'], clientAddress: string, more: Record<number, Uint8Array> = {}, parameters = PARAMETERS): Draft {
    const options = new Map(this.#identity)
    for (const [code, value] of Object.entries(more)) options.set(Number(code), value)
    if (parameters.length > 0) options.set(OPTION.parameters, Uint8Array.from(parameters))
    return { type, clientAddress, options }
  }

  async #exchange<T>(body: (exchange: Exchange) => Promise<T>): Promise<T> {
    const { namespace, link, mac } = this.#context
    const exchange = await Exchange.open(this.#port, namespace, link, mac)
    try {
      return await body(exchange)
    } finally {
      exchange.close()
    }
  }

  #nothing(unwanted: string | undefined): CnmError {
    const { only } = this.#wishes
    const where = `on interface ${this.#context.link}`
    if (unwanted === undefined) return new CnmError('ERR_CNM_TIMEOUT', `no DHCP server answers ${where}`)
    if (only !== undefined) return new CnmError('ERR_CNM_ADDRESS_IN_USE', `DHCP ${where}: ${only} is not to be had; ${unwanted} is offered`)
    return new CnmError('ERR_CNM_ADDRESS_OUT_OF_RANGE', `DHCP ${where}: ${unwanted} is offered, which is not in the network's subnet`)
  }
}

/** 1, 2, 4 ... seconds, as long as it lasts. */
function waits(time: number): number[] {
  const list: number[] = []
  for (let left = time, next = FIRST_WAIT; left > 0; left -= next, next = Math.min(next * 2, LONGEST_WAIT))
    list.push(Math.min(left, next * (1 + SPREAD * (2 * Math.random() - 1))))
  return list
}

/** Half of what is left, but not less than a minute (RFC 2131, section 4.4.5). */
function extensionWaits(time: number): number[] {
  const list: number[] = []
  for (let left = time; left > 0;) {
    const next = Math.min(left, Math.max(left / 2, 60_000))
    list.push(next)
    left -= next
  }
  return list
}
