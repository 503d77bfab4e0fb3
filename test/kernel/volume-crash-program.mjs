// A program that makes, mounts, unmounts, deletes, prunes and imports volumes until it is killed. It says what has been
// acknowledged, a line each: `+ <name> <content>` a file that is kept, `- <name>` a volume that is gone.
import { writeSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pack } from 'tar-stream'
import { Controller } from 'libcnm'

const [stateDir = '', seed = '0'] = process.argv.slice(2)
const controller = await Controller.open({ stateDir, instance: 'vol' })
const say = (line) => void writeSync(1, `${line}\n`)
say('open')

const memory = { type: 'tmpfs', device: 'tmpfs', o: 'size=64k' }
const name = (kind, round) => `${kind}-${seed}-${round}`

async function keeps(round) {
  const volume = await controller.volumes.create({ name: name('kept', round), accessMode: 'single-writer' })
  const path = await volume.mount('writer')
  await writeFile(join(path, 'file'), volume.name)
  say(`+ ${volume.name} ${volume.name}`)
  await volume.unmount('writer')
}

async function mounts(round) {
  const volume = await controller.volumes.create({ name: name('memory', round), options: memory })
  const path = await volume.mount('a')
  await volume.mount('b', { readOnly: true })
  say(`mounted ${volume.name} a`)
  await writeFile(join(path, 'file'), 'x')
  await volume.unmount('b')
  say(`unmounting ${volume.name} a`)
  await volume.unmount('a')
  await volume.delete()
}

async function imports(round) {
  const archive = pack()
  for (let n = 0; n < 20; n++) archive.entry({ name: `${n}` }, 'x'.repeat(5000))
  archive.finalize()
  const volume = await controller.volumes.import(archive, { name: name('imported', round) })
  say(`+ ${volume.name} 20`)
}

async function prunes() {
  await controller.volumes.create()
  await controller.volumes.prune()
}

async function sandboxes(round) {
  const sandbox = await controller.createSandbox({ name: name('box', round) })
  const target = join(stateDir, 'targets', sandbox.name, 'deep')
  await sandbox.mount(name('of-box', round), target)
  await sandbox.mount({ type: 'tmpfs' }, join(target, 'memory'))
  say(`mounted ${name('of-box', round)} sandbox ${sandbox.name}`)
  await readFile(join(stateDir, 'nothing')).catch(() => undefined)
  say(`unmounting ${name('of-box', round)} sandbox ${sandbox.name}`)
  await sandbox.delete()
  await controller.volumes.get(name('of-box', round)).delete()
}

async function forgets(round) {
  const volume = await controller.volumes.create({ name: name('gone', round) })
  await writeFile(join(volume.path, 'file'), 'x')
  await volume.delete()
  say(`- ${volume.name}`)
}

for (let round = 0; ; round++) await Promise.all([keeps, mounts, imports, prunes, sandboxes, forgets].map((work) => work(round)))
