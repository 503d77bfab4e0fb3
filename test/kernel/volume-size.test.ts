import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Controller } from 'libcnm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { needs, needsRealRoot, skipping } from '../tools.js'

const run = (command: string, ...args: string[]): string => execFileSync(command, args, { encoding: 'utf8', stdio: 'pipe' })

describe.skipIf(needsRealRoot() ?? needs('mkfs.ext4', 'mount', 'setpriv', 'dd'))('the size of a volume', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cnm-size-'))
  const mounted = join(folder, 'ext4')
  let reason: string | undefined
  beforeAll(() => {
    mkdirSync(mounted)
    writeFileSync(join(folder, 'image'), '')
    truncateSync(join(folder, 'image'), 64 * 2 ** 20)
    run('mkfs.ext4', '-q', '-O', 'quota,project', '-E', 'quotatype=prjquota', join(folder, 'image'))
    try {
      run('mount', '-o', 'loop,prjquota', join(folder, 'image'), mounted)
    } catch (error) {
      reason = skipping(`no file system with project quota: ${(error as Error).message.split('\n').at(1)}`)
    }
  })
  afterAll(() => {
    if (reason === undefined) run('umount', mounted)
    rmSync(folder, { recursive: true })
  })

  it('is a limit where the file system has project quota', async ({ skip }) => {
    if (reason !== undefined) return skip(reason)
    await using controller = await Controller.open({ stateDir: mounted, instance: 'vol' })
    const volume = await controller.volumes.create({ name: 'small', options: { size: '1m', owner: '7:7' } })
    const other = await controller.volumes.create({ name: 'other' })
    const path = await volume.mount('a')
    // The kernel lets whoever has CAP_SYS_RESOURCE go past a quota.
    const write = (file: string): string => {
      const as = ['--reuid', '7', '--regid', '7', '--clear-groups']
      return execFileSync('setpriv', [...as, 'dd', 'if=/dev/zero', `of=${file}`, 'bs=1000', 'count=900'], {
        cwd: path,
        encoding: 'utf8',
        stdio: 'pipe',
      })
    }
    write('fits')
    mkdirSync(join(path, 'below'), { mode: 0o777 })
    chmodSync(join(path, 'below'), 0o777)
    expect(() => write('below/not')).toThrow(/quota exceeded|No space/i)
    writeFileSync(join(other.path!, 'fits'), Buffer.alloc(4_000_000, 1))
    await volume.unmount('a')
    await volume.delete()
    await other.delete()
  })

  it('is refused where it has none, and nothing is made', async () => {
    await using controller = await Controller.open({ stateDir: join(folder, 'plain'), instance: 'vol2' })
    await expect(controller.volumes.create({ name: 'small', options: { size: '1m' } })).rejects.toMatchObject({
      code: 'ERR_CNM_NOT_SUPPORTED',
      field: 'options.size',
    })
    expect(controller.volumes.size).toBe(0)
    const memory = await controller.volumes.create({ name: 'memory', options: { type: 'tmpfs', device: 'tmpfs', size: '64k' } })
    const path = await memory.mount('a')
    expect(() => writeFileSync(join(path, 'file'), Buffer.alloc(2 ** 20))).toThrow('ENOSPC')
    await memory.unmount('a')
    await memory.delete()
  })
})
