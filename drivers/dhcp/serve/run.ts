import type { LoopThreadData } from '../../../src/kernel/index.js'
import { Mailbox } from '../../../src/kernel/loop/index.js'
import type { PacketMessage, PacketReport } from '../messages.js'
import { PacketService } from './service.js'

/** Milliseconds the thread sleeps at most: a process that ends without stopping it waits for it that long. */
const LONGEST_SLEEP = 1000

/** The thread that sends and receives, until it is told to stop. */
export function runPackets({ port, unread }: LoopThreadData): void {
  let running = true
  const service = new PacketService((report: PacketReport) => port.postMessage(report))
  const mailbox = new Mailbox<PacketMessage>(port, unread, service.loop, service.arena, (message) => {
    if (message.do === 'stop') running = false
    else service.handle(message)
  })
  port.postMessage({ is: 'ready', wakeFd: mailbox.fd })
  while (running) service.loop.turn(LONGEST_SLEEP)
  service.close()
  port.close()
}
