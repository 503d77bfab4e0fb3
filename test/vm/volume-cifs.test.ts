import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Controller } from 'libcnm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../kernel/until.js'
import { needs, needsPrivileges } from '../tools.js'
import { makeServerPlace, removeServerPlace, run, sh } from './server-namespace.js'

const SERVER = 'smb-server'
const PLACE = { name: SERVER, link: 'smb0', network: '10.78.0' }
const ADDRESS = '10.78.0.2'
const PASSWORD = 'open-sesame-42'
/** The kernel gives a server some seconds to answer, which one on an emulated processor may not keep to. */
const TOO_SLOW = new Set(['EAGAIN', 'EHOSTDOWN', 'ETIMEDOUT', 'EINPROGRESS', 'ECONNABORTED'])
async function patiently<T>(work: () => Promise<T>, tries = 5): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (tries === 0 || !TOO_SLOW.has((error as { errnoName?: string }).errnoName ?? '')) throw error
    return patiently(work, tries - 1)
  }
}

/** Of the port 445, in /proc/net/tcp. */
const LISTENING = /:01BD 00000000:0000 0A/

describe.skipIf(needsPrivileges() ?? needs('ip', 'smbd', 'smbpasswd'))('volumes on a CIFS server', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cnm-cifs-'))
  const data = join(folder, 'share')
  let controller: Controller
  let server: ChildProcess | undefined
  const options = (password: string): Record<string, string> => ({
    type: 'cifs',
    device: `//${ADDRESS}/share`,
    o: `username=root,password=${password},vers=3.1.1,noserverino`,
  })

  beforeAll(async () => {
    sh('modprobe cifs; true')
    makeServerPlace(PLACE)
    const own = join(folder, 'samba')
    for (const path of [data, own]) mkdirSync(path)
    const folders = ['private dir', 'lock directory', 'state directory', 'cache directory', 'pid directory', 'ncalrpc dir']
    const settings = join(folder, 'smb.conf')
    const global = [
      'server role = standalone server',
      'disable netbios = yes',
      'smb ports = 445',
      'load printers = no',
      'disable spoolss = yes',
    ]
    const share = [`path = ${data}`, 'read only = no', 'valid users = root']
    const lines = ['[global]', ...global, ...folders.map((name) => `${name} = ${own}`), '[share]', ...share]
    writeFileSync(settings, `${lines.join('\n')}\n`)
    execFileSync('smbpasswd', ['-c', settings, '-s', '-a', 'root'], { input: `${PASSWORD}\n${PASSWORD}\n`, stdio: 'pipe' })
    server = spawn('ip', ['netns', 'exec', SERVER, 'smbd', '--foreground', '--no-process-group', '--debug-stdout', '-s', settings], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    await until(() => LISTENING.test(run('ip', 'netns', 'exec', SERVER, 'cat', '/proc/net/tcp', '/proc/net/tcp6')), 120_000)
    controller = await Controller.open({ stateDir: join(folder, 'state'), instance: 'cifs' })
  }, 300_000)

  afterAll(async () => {
    await controller?.close()
    if (server !== undefined) {
      const gone = once(server, 'exit')
      sh(`ip netns pids ${SERVER} | xargs -r kill -9`)
      await gone
    }
    removeServerPlace(PLACE)
    rmSync(folder, { recursive: true, force: true })
  })

  /** Everything that the controller keeps, but for the one folder of secrets. */
  const stored = (path = join(folder, 'state')): string =>
    readdirSync(path, { withFileTypes: true })
      .map((entry) => {
        const each = join(path, entry.name)
        if (entry.isDirectory()) return entry.name === 'secrets' || entry.name === '_data' ? '' : stored(each)
        return entry.isFile() ? readFileSync(each, 'latin1') : ''
      })
      .join()

  it('are written and read in sandboxes, and the password is nowhere but with the volume', async () => {
    const volume = await controller.volumes.create({ name: 'share', options: options(PASSWORD) })
    const sandbox = await controller.createSandbox({ name: 'one' })
    const target = join(folder, 'target')
    await patiently(() => sandbox.mount(volume, target))
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).toMatch(new RegExp(`${volume.path} .* - cifs //${ADDRESS}/share .*username=root`))
    const { stdout } = await sandbox.run('sh', ['-c', `echo through the network > ${target}/file && cat ${target}/file`])
    expect(stdout).toBe('through the network\n')
    expect(readFileSync(join(data, 'file'), 'utf8')).toBe('through the network\n')
    expect(volume.inspect().Options).toMatchObject({ o: expect.stringContaining('password=***') })
    expect(JSON.stringify(volume.inspect())).not.toContain(PASSWORD)
    expect(stored()).not.toContain(PASSWORD)
    const secret = join(folder, 'state/cifs/volumes/secrets', volume.id)
    expect([statSync(secret).mode & 0o777, readFileSync(secret, 'utf8').includes(PASSWORD)]).toEqual([0o600, true])
    await sandbox.delete()
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(volume.path)
    await volume.delete()
    expect(readFileSync(join(data, 'file'), 'utf8')).toBe('through the network\n')
  }, 300_000)

  it('with the wrong password are refused in words that do not have it', async () => {
    const volume = await controller.volumes.create({ name: 'wrong', options: options('wrong-word-17') })
    const error = await patiently(() => volume.mount('a')).catch((reason: unknown) => reason as Error)
    expect(error).toMatchObject({ code: 'ERR_CNM_NOT_PERMITTED', errnoName: 'EACCES' })
    expect(JSON.stringify([error, (error as Error).message])).not.toContain('wrong-word')
    expect(volume.users).toEqual([])
    await volume.delete()
  }, 300_000)
})
