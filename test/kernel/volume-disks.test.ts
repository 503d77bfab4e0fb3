import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statfsSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Controller } from 'libcnm'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { leftBehind, takeCensus } from '../census.js'
import { needs, needsRealRoot, skipping } from '../tools.js'

const run = (command: string, ...args: string[]): string => execFileSync(command, args, { encoding: 'utf8', stdio: 'pipe' }).trim()
const MIB = 2 ** 20

/** Why this kernel cannot have a file system, or `undefined`; where it has it as a module, that is loaded. */
function needsFileSystem(type: string): string | undefined {
  try {
    run('modprobe', '-q', type)
  } catch {
    // Built in, or not there.
  }
  const isKnown = readFileSync('/proc/filesystems', 'utf8').split(/\s+/).includes(type)
  return isKnown ? undefined : skipping(`this kernel has no ${type}`)
}

describe.skipIf(needsRealRoot() ?? needs('losetup', 'mount', 'mkfs.ext4'))('volumes and disks', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cnm-disks-'))
  const undo: (() => void)[] = []
  afterEach(() => {
    for (const step of undo.splice(0).reverse()) step()
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  /** An empty file system in a file. */
  const image = (type: string, megabytes: number, ...options: string[]): string => {
    const path = join(folder, `${type}.img`)
    rmSync(path, { force: true })
    writeFileSync(path, '')
    truncateSync(path, megabytes * MIB)
    run(`mkfs.${type}`, '-q', ...options, path)
    return path
  }

  it.skipIf(needsFileSystem('ext4'))('a disk is mounted with the first lease, with its options, and keeps what was written', async () => {
    const device = run('losetup', '--find', '--show', image('ext4', 16))
    undo.push(() => run('losetup', '--detach', device))
    const stateDir = join(folder, 'state')
    await Controller.open({ stateDir, instance: 'disk' }).then(async (first) => {
      await (await first.createSandbox({ name: 'first' })).delete()
      await first.close()
    })
    const before = await takeCensus()
    const controller = await Controller.open({ stateDir, instance: 'disk' })
    const options = { type: 'ext4', device, o: 'noatime,nodev,commit=1', owner: '7:8', mode: '0750' }
    const volume = await controller.volumes.create({ name: 'disk', options })
    const sandbox = await controller.createSandbox({ name: 'box' })
    await sandbox.mount(volume, join(folder, 'inside'))
    const { stdout } = await sandbox.run('sh', [
      '-c',
      `cd ${folder}/inside && echo kept > file && stat -c '%a %u:%g' . && grep ' ${folder}/inside ' /proc/self/mountinfo`,
    ])
    expect(stdout).toMatch(/^750 7:8\n.*nodev,noatime.* - ext4 /)
    expect(stdout).toContain(`${device} rw,commit=1`)
    await sandbox.delete()
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(device)
    expect(readFileSync(join(await volume.mount('job'), 'file'), 'utf8')).toBe('kept\n')
    await volume.unmount('job')

    const wrong = await controller.volumes.create({ name: 'wrong', options: { type: 'iso9660', device } })
    await expect(wrong.mount('job')).rejects.toMatchObject({
      code: expect.stringMatching(/^ERR_CNM_/),
      message: expect.stringContaining(device),
    })
    expect(wrong.users).toEqual([])
    await wrong.delete()
    await volume.delete()
    // What is on the disk is not the volume's to remove.
    const mounted = join(folder, 'mounted')
    mkdirSync(mounted)
    run('mount', '-o', 'ro', device, mounted)
    expect(readFileSync(join(mounted, 'file'), 'utf8')).toBe('kept\n')
    run('umount', mounted)
    await controller.close()
    expect(await leftBehind(before)).toEqual([])
  })

  it.skipIf(needs('python3'))('a security context is put on a folder, and refused for a mount by kernels without SELinux', async () => {
    const controller = await Controller.open({ stateDir: join(folder, 'label'), instance: 'label' })
    const label = 'system_u:object_r:container_file_t:s0:c1,c2'
    const volume = await controller.volumes.create({ name: 'labelled', options: { 'selinux-label': label } })
    const read = 'import os, sys; print(os.getxattr(sys.argv[1], "security.selinux").rstrip(bytes(1)).decode())'
    expect(run('python3', '-c', read, volume.path!)).toBe(label)
    await volume.delete()
    await expect(controller.volumes.create({ options: { 'selinux-label': 'no context' } })).rejects.toMatchObject({
      code: 'ERR_CNM_INVALID_ARGUMENT',
      field: 'options.selinux-label',
    })
    const mounted = await controller.volumes.create({ name: 'memory', options: { type: 'tmpfs', device: 'tmpfs', 'selinux-label': label } })
    if (readFileSync('/proc/filesystems', 'utf8').includes('selinuxfs')) {
      await mounted.mount('job')
      await mounted.unmount('job')
    } else {
      await expect(mounted.mount('job')).rejects.toMatchObject({ code: 'ERR_CNM_KERNEL', message: expect.stringMatching(/context/) })
      expect(mounted.users).toEqual([])
    }
    await mounted.delete()
    await controller.close()
  })

  it.skipIf(needs('mkfs.xfs') ?? needsFileSystem('xfs'))('xfs: a clone shares its blocks, and is its own', () => sharesBlocks('xfs', 320))
  it.skipIf(needs('mkfs.btrfs') ?? needsFileSystem('btrfs'))('btrfs: a clone shares its blocks, and is its own', () =>
    sharesBlocks('btrfs', 256),
  )

  async function sharesBlocks(type: string, megabytes: number): Promise<void> {
    const mounted = join(folder, type)
    mkdirSync(mounted)
    run('mount', '-o', 'loop', image(type, megabytes), mounted)
    undo.push(() => run('umount', mounted))
    const free = (): number => {
      run('sync', '--file-system', mounted)
      const { bfree, bsize } = statfsSync(mounted)
      return bfree * bsize
    }
    const controller = await Controller.open({ stateDir: mounted, instance: 'share' })
    const volume = await controller.volumes.create({ name: 'data' })
    const data = randomBytes(48 * MIB)
    writeFileSync(join(await volume.mount('job'), 'file'), data)
    const before = free()
    const clone = await volume.clone({ name: 'clone' })
    const snapshot = await volume.snapshot({ name: 'snapshot' })
    expect(before - free()).toBeLessThan(4 * MIB)
    writeFileSync(join(await clone.mount('job'), 'file'), 'changed')
    writeFileSync(join(volume.path!, 'file'), 'changed too')
    expect(readFileSync(join(await snapshot.mount('job'), 'file')).equals(data)).toBe(true)
    for (const each of [volume, clone, snapshot]) {
      await each.unmount('job')
      await each.delete()
    }
    await controller.close()
  }
})
