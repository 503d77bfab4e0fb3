// What runs on a host of the tests: a controller, and whatever the test sends it to do. Settings as JSON on the command line.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { Controller } from 'libcnm'
import { etcd } from 'libcnm/store/etcd'

const run = promisify(execFile)
const { endpoints, timeout, node, options, volumeDriver } = JSON.parse(process.argv[2])
const events = []
const cluster = etcd({ endpoints, ...(timeout !== undefined && { timeout }) })
const opened = performance.now()
const volumeDrivers = volumeDriver === undefined ? [] : [(await import(volumeDriver)).default]
const controller = await Controller.open({ ...options, volumeDrivers, cluster, node })
for (const name of ['warning', 'cluster:contact', 'node:change']) controller.on(name, (event) => events.push({ name, event }))

const scope = {
  controller,
  events,
  openedIn: performance.now() - opened,
  shell: async (command, ...args) => (await run(command, args, { maxBuffer: 64 << 20 })).stdout,
}

process.on('message', (order) => {
  if (order === 'close') void controller.close().then(() => process.disconnect())
  else void answer(order)
})
process.on('disconnect', () => process.exit())
process.send({ ready: true })

async function answer({ id, code, args }) {
  try {
    // What is sent is the text of a function of the test's.
    const work = (0, eval)(`(${code})`)
    process.send({ id, value: (await work(scope, ...args)) ?? null })
  } catch (error) {
    const { message, code: errorCode, stack } = error
    process.send({ id, error: { message, code: errorCode, stack } })
  }
}
