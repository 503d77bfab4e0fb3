// The public API in one program. Run it as root: npx tsx examples/api.ts
import http from 'node:http'
import { Controller } from 'libcnm'

const handler: http.RequestListener = (_request, response) => response.end('hello from web')
const { STATE_DIR: stateDir = '/var/lib/libcnm', CONTAINER_NETNS: netns } = process.env

await using controller = await Controller.open({ stateDir, instance: 'example' }) // LMDB store, built-in local drivers
controller.on('endpoint:join', ({ endpoint, sandbox }) => console.log(`${endpoint.name} joined ${sandbox.name}`))
controller.on('warning', ({ message }) => console.log(`warning: ${message}`))

const front = await controller.createNetwork({
  name: 'front',
  driver: 'bridge', // 'bridge' is the default
  ipam: { pools: [{ subnet: '10.10.0.0/24', gateway: '10.10.0.1', range: '10.10.0.128/25', reserved: { nas: '10.10.0.5' } }] },
  options: { 'com.docker.network.bridge.name': 'br-front' },
  labels: { tier: 'web' },
})
const web = await controller.createSandbox({ name: 'web' })
const db = await controller.createSandbox({ name: 'db', dns: { servers: ['9.9.9.9'], search: ['corp.test'], options: ['ndots:0'] } })

const ep = await front.createEndpoint({ name: 'web', aliases: ['www'], ports: [{ host: 8080, container: 80, protocol: 'tcp' }] })
await ep.join(web)
await db.connect(front) // createEndpoint + join, named after the sandbox
console.log(ep.addresses, ep.mac, ep.interfaceName, ep.ports) // ['10.10.0.128/24'] ...

const ping = await db.run('ping', ['-c1', 'www']) // { code, signal, stdout, stderr }: runs inside the sandbox
console.log('ping www:', ping.code)
const child = await web.spawn('sleep', ['60']) // a node:child_process ChildProcess
const server = await web.listen(http.createServer(handler), { port: 80 }) // a server of THIS process, inside the sandbox
const socket = await db.dial({ host: 'web', port: 80 }) // net.Socket; names resolve as they would inside
socket.destroy()
const reply = await fetch('http://web/', { dispatcher: db.dispatcher() }) // undici dispatcher that dials from the sandbox
console.log('fetch http://web/:', await reply.text())
const published = await fetch('http://127.0.0.1:8080/')
console.log('fetch the published port:', await published.text())

console.log(controller.networks.get('front').id === front.id) // by name, id or unambiguous id prefix
console.log(controller.networks.list({ filters: { label: 'tier=web' } }).length, controller.sandboxes.list().length)
console.log(front.endpoints.length, web.endpoints.length)
console.log(front.inspect().Containers[web.id]) // plain JSON, the shape of `docker network inspect`
await ep.publish([{ host: 9090, container: 90 }])
await ep.unpublish([{ host: 9090 }])
console.log((await controller.check()).length, (await controller.repair()).length, (await controller.status()).health)

if (netns !== undefined) {
  const existing = await controller.createSandbox({ name: 'runc-c1', netns }) // attach what somebody else made
  await existing.connect(front)
  await existing.delete()
}

child.kill()
server.close()
server.closeAllConnections()
await ep.leave()
await ep.delete()
await web.delete()
await db.delete() // alone: it leaves and deletes its endpoints too
await front.delete()
console.log('done')
