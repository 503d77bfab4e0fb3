import { Mailbox } from '../../../src/kernel/loop/index.js'
import type { DnsMessage, DnsThreadData } from '../messages.js'
import { Service } from './service.js'

/**
 * Milliseconds the thread sleeps at most. A process that ends without stopping it (process.reallyExit, the end of the
 * worker that started it) waits for it that long.
 */
const LONGEST_SLEEP = 1000

/** The resolver's thread, until it is told to stop. Never returns to Node's event loop in between. */
export function runResolver({ port, unread, tuning }: DnsThreadData): void {
  let running = true
  const service = new Service(
    tuning,
    (report) => port.postMessage(report),
    () => mailbox.takeIn(),
  )
  const mailbox = new Mailbox<DnsMessage>(port, unread, service.loop, service.arena, (message) => {
    if (!service.handle(message)) running = false
  })
  port.postMessage({ is: 'ready', wakeFd: mailbox.fd })
  while (running) service.loop.turn(LONGEST_SLEEP)
  service.close()
  port.close()
}
