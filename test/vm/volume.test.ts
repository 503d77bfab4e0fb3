import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Controller } from 'libcnm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { needs, needsPrivileges } from '../tools.js'
import { makeServerPlace, removeServerPlace, run, sh } from './server-namespace.js'

const SERVER = 'nfs-server'
const PLACE = { name: SERVER, link: 'nfs0', network: '10.77.0' }
const ADDRESS = '10.77.0.2'
/** In a mount namespace of its own, which `ip netns exec` makes. */
const START = `
  mkdir -p /var/lib/nfs/v4recovery
  touch /var/lib/nfs/etab /var/lib/nfs/rmtab
  mount -t nfsd nfsd /proc/fs/nfsd
  mount --bind /run/nfs-etc/exports /etc/exports
  exportfs -ra
  rpc.nfsd -N 3 -V 4.2 -G 10 -L 10 2
  echo ready
  exec rpc.mountd -F -N 3 >&2`

describe.skipIf(needsPrivileges() ?? needs('ip', 'rpc.nfsd', 'exportfs', 'rpc.mountd'))('volumes on a file server', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cnm-nfs-'))
  const data = join(folder, 'export')
  let controller: Controller
  let server: ChildProcess | undefined

  beforeAll(async () => {
    sh('modprobe nfsd; modprobe nfsv4; true')
    makeServerPlace(PLACE)
    mkdirSync(data)
    run('mount', '-t', 'tmpfs', 'nfs-data', data)
    mkdirSync('/run/nfs-etc')
    writeFileSync('/run/nfs-etc/exports', `${data} 10.77.0.0/24(rw,sync,fsid=0,no_root_squash,no_subtree_check,insecure)\n`)
    // nfsd belongs to the network namespace in which it is started, and shows itself in a nfsd file system mounted there.
    server = spawn('ip', ['netns', 'exec', SERVER, 'sh', '-ec', START], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [ready] = (await once(server.stdout!, 'data')) as [Buffer]
    expect(String(ready)).toBe('ready\n')
    controller = await Controller.open({ stateDir: join(folder, 'state'), instance: 'nfs' })
  }, 300_000)

  afterAll(async () => {
    await controller?.close()
    server?.kill('SIGKILL')
    sh(`ip netns exec ${SERVER} rpc.nfsd 0; true`)
    sh(`umount ${data}; true`)
    removeServerPlace(PLACE)
    rmSync(folder, { recursive: true, force: true })
  })

  it('are mounted with the first lease, written and read in sandboxes, and unmounted with the last', async () => {
    const volume = await controller.volumes.create({
      name: 'shared',
      options: { type: 'nfs4', device: ':/', o: `addr=${ADDRESS},vers=4.2,soft,timeo=50` },
    })
    const one = await controller.createSandbox({ name: 'one' })
    const two = await controller.createSandbox({ name: 'two' })
    const target = join(folder, 'target')
    await one.mount(volume, target)
    await two.mount(volume, target, { readOnly: true })
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).toContain(`${volume.path} `)
    expect((await one.run('sh', ['-c', `echo through the network > ${target}/file`])).code).toBe(0)
    expect(readFileSync(join(data, 'file'), 'utf8')).toBe('through the network\n')
    expect((await two.run('cat', [`${target}/file`])).stdout).toBe('through the network\n')
    expect((await two.run('sh', ['-c', `echo x > ${target}/file`])).stderr).toMatch(/[Rr]ead-only/)
    const clone = await volume.clone({ name: 'local-copy', driver: 'local', options: {} })
    expect(readFileSync(join(clone.path!, 'file'), 'utf8')).toBe('through the network\n')
    await one.delete()
    await two.delete()
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(`${volume.path} `)
    await clone.delete()
    await volume.delete()
    expect(readFileSync(join(data, 'file'), 'utf8')).toBe('through the network\n')
  }, 300_000)

  it('fail with what the kernel says when the server has no such path', async () => {
    const volume = await controller.volumes.create({
      name: 'wrong',
      options: { type: 'nfs4', device: `${ADDRESS}:/nothing`, o: 'vers=4.2,soft,timeo=50' },
    })
    await expect(volume.mount('a')).rejects.toMatchObject({ errnoName: 'ENOENT' })
    expect(volume.users).toEqual([])
    await volume.delete()
  }, 300_000)
})
