// Two networks and two sandboxes on this host. Run it as root: npx tsx examples/quickstart.ts
import http from 'node:http'
import { Controller } from 'libcnm'

const handler: http.RequestListener = (_request, response) => response.end('hello from web\n')

await using controller = await Controller.open({ stateDir: process.env.STATE_DIR ?? '/var/lib/libcnm', instance: 'quickstart' })

const front = await controller.createNetwork({
  name: 'front',
  ipam: { pools: [{ subnet: '10.10.0.0/24', gateway: '10.10.0.1', range: '10.10.0.128/25', reserved: { nas: '10.10.0.5' } }] },
  labels: { tier: 'web' },
})
const web = await controller.createSandbox({ name: 'web' })
const db = await controller.createSandbox({ name: 'db' })

const endpoint = await front.createEndpoint({ name: 'web', aliases: ['www'] })
await endpoint.join(web)
await db.connect(front)
console.log('web has', endpoint.addresses[0], 'on', endpoint.interfaceName)

const server = await web.listen(http.createServer(handler), { port: 80 })
const reply = await fetch('http://www/', { dispatcher: db.dispatcher() })
console.log('db fetches http://www/:', (await reply.text()).trim())

const ping = await db.run('ping', ['-c1', endpoint.addresses[0]!.split('/')[0]!])
console.log('ping ended with', ping.code)

server.close()
await web.delete()
await db.delete()
await front.delete()
