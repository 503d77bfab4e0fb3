import { randomBytes } from 'node:crypto'
import { wait } from './wait.js'
import type { PacketPort, PacketSession } from './packet-port.js'
import { decodeMessage, encodeMessage, macBytes, macText, type DhcpMessage } from './wire/message.js'
import { BROADCAST_ADDRESS, decodePacket, encodePacket } from './wire/packet.js'

/** Where messages go: to everybody on the link, or to one server by way of the MAC that its answer came from. */
export interface Destination {
  address: string
  mac: string
}

export const EVERYBODY: Destination = { address: BROADCAST_ADDRESS, mac: 'ff:ff:ff:ff:ff:ff' }
export const NO_ADDRESS = '0.0.0.0'

/** An answer, the MAC that it came from, and when what it answers was sent first. */
export interface Answer {
  message: DhcpMessage
  from: string
  sent: number
}

export type Draft = Pick<DhcpMessage, 'type' | 'clientAddress' | 'options'>

/** One transaction on an interface: messages out, answers with its id in. */
export class Exchange {
  readonly #mac: string
  readonly #xid = randomBytes(4).readUInt32BE(0)
  readonly #began = performance.now()
  readonly #answers: Answer[] = []
  #session: PacketSession | undefined
  #wake: (() => void) | undefined

  private constructor(mac: string) {
    this.#mac = mac
  }

  static async open(port: PacketPort, namespace: string, link: string, mac: string): Promise<Exchange> {
    const exchange = new Exchange(mac)
    exchange.#session = await port.open(namespace, link, (packet, from) => exchange.#take(packet, from))
    return exchange
  }

  /**
   * Sends, and sends again after each of the waits (milliseconds), until an answer is accepted.
   * @returns `undefined` when none was by the end of the last wait
   */
  async ask<T>(
    draft: Draft,
    to: Destination,
    waits: readonly number[],
    accept: (answer: Answer) => T | undefined,
    signal: AbortSignal,
  ): Promise<T | undefined> {
    const sent = performance.now()
    this.#answers.length = 0
    for (const time of waits) {
      signal.throwIfAborted()
      this.send(draft, to)
      const end = performance.now() + time
      for (let left = time; left > 0; left = end - performance.now()) {
        await this.#answered(left, signal)
        for (let answer; (answer = this.#answers.shift()) !== undefined;) {
          const accepted = accept({ ...answer, sent })
          if (accepted !== undefined) return accepted
        }
      }
    }
    return undefined
  }

  send({ type, clientAddress, options }: Draft, to: Destination): void {
    const secs = Math.round((performance.now() - this.#began) / 1000)
    // Without an address a client hears only broadcasts, where it shares its MAC with others.
    const broadcast = clientAddress === NO_ADDRESS
    const message = { type, xid: this.#xid, secs, broadcast, clientAddress, yourAddress: NO_ADDRESS, mac: this.#mac, options }
    this.#session?.send(encodePacket(clientAddress, to.address, encodeMessage(message)), macBytes(to.mac))
  }

  async #answered(time: number, signal: AbortSignal): Promise<void> {
    if (this.#answers.length > 0) return
    const woken = new AbortController()
    this.#wake = () => woken.abort()
    await wait(time, AbortSignal.any([signal, woken.signal]))
    signal.throwIfAborted()
  }

  #take(packet: Uint8Array, from: Uint8Array): void {
    const content = decodePacket(packet)
    const message = content === undefined ? undefined : decodeMessage(content.payload)
    if (message === undefined || message.xid !== this.#xid || message.mac !== this.#mac) return
    this.#answers.push({ message, from: macText(from), sent: 0 })
    this.#wake?.()
  }

  close(): void {
    this.#session?.close()
  }
}
