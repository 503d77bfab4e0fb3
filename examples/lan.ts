// Sandboxes directly on the network of a device, and the host with them. Run it as root, with the name of a device that
// is plugged into a network: PARENT=eth0 SUBNET=192.168.1.0/24 RANGE=192.168.1.192/27 HOST=192.168.1.223 npx tsx examples/lan.ts
import { Controller } from 'libcnm'

const { PARENT = 'eth0', SUBNET = '192.168.1.0/24', RANGE = '192.168.1.192/27', HOST = '192.168.1.223' } = process.env

await using controller = await Controller.open({ stateDir: process.env.STATE_DIR ?? '/var/lib/libcnm', instance: 'lan' })
controller.on('warning', ({ message }) => console.log('note:', message))

const lan = await controller.createNetwork({
  name: 'lan',
  driver: 'macvlan',
  options: { parent: PARENT, host_access: 'true' },
  // Addresses that nobody else gives; with `driver: 'dhcp'` here, and no pools, the network's own server gives them.
  ipam: { pools: [{ subnet: SUBNET, range: RANGE, reserved: { host: HOST } }] },
})
const [camera, printer] = [await controller.createSandbox({ name: 'camera' }), await controller.createSandbox({ name: 'printer' })]
const endpoint = await camera.connect(lan)
await printer.connect(lan)
console.log('camera is', endpoint.addresses[0], endpoint.mac, 'on the network of', PARENT)

const names = await printer.run('ping', ['-c1', 'camera'])
console.log('printer pings camera:', names.code)
const host = await camera.run('ping', ['-c1', HOST])
console.log('camera pings the host:', host.code)

await camera.delete()
await printer.delete()
await lan.delete()
