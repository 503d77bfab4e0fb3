// One network over two hosts, and etcd beside them (Debian: etcd-server):
//   etcd --listen-client-urls http://0.0.0.0:2379 --advertise-client-urls http://10.0.0.1:2379
// On the first host, as root, with the address that the other reaches:
//   ETCD=http://10.0.0.1:2379 NODE=host1 ADDRESS=192.0.2.11 npx tsx examples/overlay.ts serve
// and then on the second:
//   ETCD=http://10.0.0.1:2379 NODE=host2 ADDRESS=192.0.2.12 npx tsx examples/overlay.ts ask
import http from 'node:http'
import { Controller } from 'libcnm'
import { etcd } from 'libcnm/store/etcd'

const { ETCD = 'http://127.0.0.1:2379', NODE = 'host1', ADDRESS = '192.0.2.11', STATE_DIR = '/var/lib/libcnm' } = process.env
const role = process.argv[2] ?? 'serve'

await using controller = await Controller.open({
  cluster: etcd({ endpoints: [ETCD] }),
  node: { name: NODE, address: ADDRESS },
  stateDir: STATE_DIR,
  instance: 'overlay',
})
controller.on('warning', ({ message }) => console.log('note:', message))

// The first host makes it; to the second it is known.
const blue = controller.networks.find('blue') ?? (await controller.createNetwork({ name: 'blue', driver: 'overlay', internal: true }))
const sandbox = await controller.createSandbox({ name: role === 'serve' ? 'web' : 'client' })
const endpoint = await sandbox.connect(blue)
console.log(`${sandbox.name} on ${NODE} has ${endpoint.addresses[0]}`)

if (role === 'serve') {
  let answered: () => void
  const done = new Promise<void>((resolve) => (answered = resolve))
  const server = await sandbox.listen(
    http.createServer((_request, response) => response.end(`hello from ${NODE}`, () => answered())),
    { port: 80 },
  )
  console.log('waiting for the other host')
  await done
  server.close()
} else {
  for (const { name, node, addresses } of await blue.members()) console.log(`on blue: ${name}, on ${node}, ${addresses[0]}`)
  const ping = await sandbox.run('ping', ['-c1', '-t1', 'web'])
  console.log('web is one hop away:', ping.code === 0)
  const reply = await fetch('http://web/', { dispatcher: sandbox.dispatcher() })
  console.log('web says:', await reply.text())
}

await sandbox.delete()
// Who is last removes it.
await blue.delete().then(
  () => console.log('removed blue'),
  (error: Error) => console.log(error.message),
)
