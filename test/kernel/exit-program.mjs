// Does random work in the kernel and ends in the way that the command line says, after some milliseconds:
// node exit-program.mjs <exit|throw|reject|signal|end|close> <delay> <seed>
import { Kernel } from 'libcnm/kernel'

const [way, delay, seed] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])]
let state = seed
/** Lehmer's generator: the same seed gives the same run. */
const random = (below) => (state = (state * 48271) % 2147483647) % below

const WAYS = {
  exit: () => process.exit(7),
  throw: () => {
    throw new Error('on purpose')
  },
  reject: () => void Promise.reject(new Error('on purpose')),
  signal: () => process.kill(process.pid, 'SIGTERM'),
  end: () => (over = true),
  close: () => {
    over = true
    void kernels.forEach((kernel) => kernel.close())
  },
}

let over = false
let next = 0
const kernels = []

const WORK = [
  (kernel) => {
    const at = `/run/netns/n${next++}`
    const link = { kind: 'link', type: 'veth', at: 'host', name: `v${next}`, peer: { at, name: 'eth0' } }
    return kernel
      .transaction([
        { do: 'create', object: { kind: 'namespace', at } },
        { do: 'create', object: link },
      ])
      .then(() =>
        kernel.transaction([
          { do: 'delete', object: link },
          { do: 'delete', object: { kind: 'namespace', at } },
        ]),
      )
  },
  (kernel) => kernel.list('host', ['link', 'address', 'route']),
  (kernel) => kernel.socket('host', { type: 'udp' }),
  (kernel) =>
    kernel
      .transaction([
        { do: 'create', object: { kind: 'sysctl', at: 'host', path: 'net/ipv4/ip_forward', value: String(random(2)) } },
        { do: 'create', object: { kind: 'address', at: 'host', link: 'not-there', address: '192.0.2.1/24' } },
      ])
      .catch(() => undefined),
]

async function load(kernel) {
  while (!over) await WORK[random(WORK.length)](kernel)
}

setTimeout(WAYS[way], delay)
const count = 1 + random(2)
for (let i = 0; i < count; i++) {
  const opening = Kernel.open()
  opening.then((kernel) => {
    kernels.push(kernel)
    if (over) return way === 'close' ? kernel.close() : undefined
    // Closing may come between two calls.
    for (let j = 0; j < 3; j++)
      load(kernel).catch((error) => {
        if (error.code !== 'ERR_CNM_CLOSED') throw error
      })
  })
}
