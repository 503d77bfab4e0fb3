/** Entry of the kernel thread. */
import { parentPort, workerData, type MessagePort } from 'node:worker_threads'
import { ExitGuard } from './exit-guard.js'
import type { ThreadStart } from './protocol.js'

/** What loads native code is imported when it is known who waits for it. */
async function start(port: MessagePort, { guard: buffer, options }: ThreadStart): Promise<void> {
  const guard = new ExitGuard(buffer)
  try {
    const { serve } = await import('./serve.js')
    serve(port, options, guard)
  } finally {
    guard.end()
  }
}

if (parentPort !== null) void start(parentPort, workerData as ThreadStart)
