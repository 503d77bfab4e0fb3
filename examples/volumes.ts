// Data that outlives the sandboxes that use it. Run it as root: npx tsx examples/volumes.ts
import { Controller } from 'libcnm'

const stateDir = process.env.STATE_DIR ?? '/var/lib/libcnm'
await using controller = await Controller.open({ stateDir, instance: 'volumes' })

const target = process.env.TARGET ?? '/run/example-data'
const first = await controller.createSandbox({ name: 'first' })
await first.mount('data', target) // the volume is made by this
await first.run('sh', ['-c', `echo "written by the first" > ${target}/file`])
await first.delete()

const second = await controller.createSandbox({ name: 'second' })
await second.mount('data', target, { readOnly: true })
console.log((await second.run('cat', [`${target}/file`])).stdout.trim())
console.log((await second.run('sh', ['-c', `echo x > ${target}/file`])).stderr.trim())

const volume = controller.volumes.get('data')
console.log('in use by', volume.users.join(', '))

const backup = await controller.volumes.import(await volume.export(), { name: 'backup' })
console.log('copied to', backup.name, await backup.usage(), 'bytes')

await second.delete()
console.log('deleted', (await controller.volumes.prune({ all: true })).deleted.join(', '))
