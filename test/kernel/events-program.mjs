// Watches the kernel while it changes it, and ends in the way that the command line says, after some milliseconds:
// node events-program.mjs <exit|throw|signal|end|close|nothing> <delay>
import { Kernel } from 'libcnm/kernel'

const [way, delay] = [process.argv[2], Number(process.argv[3])]
const kernel = await Kernel.open()
let count = 0
await kernel.watch(
  { groups: ['link', 'address', 'route', 'nftables'], namespaces: 'all', bufferBytes: 8192 },
  (events) => (count += events.length),
)
let over = way === 'nothing'

const WAYS = {
  exit: () => process.exit(7),
  throw: () => {
    throw new Error('on purpose')
  },
  signal: () => process.kill(process.pid, 'SIGTERM'),
  end: () => (over = true),
  close: () => {
    over = true
    void kernel.close()
  },
}
if (way !== 'nothing') setTimeout(WAYS[way], delay)

async function load(name) {
  while (!over) {
    const link = { kind: 'link', type: 'veth', at: 'host', name, peer: { at: 'host', name: `${name}p` } }
    await kernel.transaction([{ do: 'create', object: link }])
    await kernel.transaction([{ do: 'delete', object: link }])
  }
}
for (const name of [`a${process.pid}`, `b${process.pid}`])
  load(name).catch((error) => {
    if (error.code !== 'ERR_CNM_CLOSED') throw error
  })
process.on('exit', () => console.log(`saw ${count}`))
