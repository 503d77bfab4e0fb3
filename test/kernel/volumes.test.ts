import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync, existsSync, mkdirSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Controller } from 'libcnm'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { leftBehind, takeCensus, type Census } from '../census.js'
import { needsPrivileges } from '../tools.js'

const code = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'no error',
    (error: unknown) => (error as { code?: unknown }).code,
  )
const mountsBelow = (folder: string): string[] =>
  readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((target) => target.startsWith(folder))

describe.skipIf(needsPrivileges())('volumes', () => {
  let stateDir: string
  let controller: Controller
  let before: Census
  const open = async (): Promise<Controller> => (controller = await Controller.open({ stateDir, instance: 'vol' }))
  const reopen = async (): Promise<Controller> => {
    await controller.close()
    return open()
  }
  beforeEach(async () => {
    stateDir = mkdtempSync(join(tmpdir(), 'cnm-volumes-'))
    before = await takeCensus()
    await open()
  })
  afterEach(async () => {
    for (const volume of controller.volumes.list()) {
      for (const { Consumer } of volume.inspect().Leases) await volume.unmount(Consumer, { all: true })
      await volume.delete()
    }
    await controller.close()
    expect(await leftBehind(before)).toEqual([])
    expect(readdirSync(join(stateDir, 'vol')).filter((name) => name !== 'store' && name !== 'volumes')).toEqual([])
    rmSync(stateDir, { recursive: true })
  })

  it('keep data for one user after another, and for a controller opened again', async () => {
    const volume = await controller.volumes.create({ name: 'data', labels: { tier: 'db' } })
    const path = await volume.mount('first')
    writeFileSync(join(path, 'file'), 'kept')
    await volume.unmount('first')
    await reopen()
    const again = controller.volumes.get('data')
    expect(readFileSync(join(await again.mount('second'), 'file'), 'utf8')).toBe('kept')
    expect(again.inspect()).toMatchObject({
      Name: 'data',
      Driver: 'local',
      Scope: 'local',
      Labels: { tier: 'db' },
      Options: {},
      Mountpoint: path,
      Leases: [{ Consumer: 'second', ReadOnly: false, Count: 1 }],
    })
    expect(await again.usage()).toBeGreaterThan(0)
  })

  it('are the same for the same driver and options, and a conflict for others', async () => {
    const volume = await controller.volumes.create({ name: 'data', options: { mode: '0750', owner: '7:8' } })
    expect(await controller.volumes.create({ name: 'data', options: { mode: '0750', owner: '7:8' } })).toBe(volume)
    expect(await code(controller.volumes.create({ name: 'data' }))).toBe('ERR_CNM_VOLUME_EXISTS')
    expect(await code(controller.volumes.create({ name: 'data', options: { moed: '1' } }))).toBe('ERR_CNM_UNKNOWN_OPTION')
    expect(await code(controller.volumes.create({ name: '../x' }))).toBe('ERR_CNM_INVALID_ARGUMENT')
    expect(await code(controller.volumes.create({ name: 'x', driver: 'nix' }))).toBe('ERR_CNM_DRIVER_NOT_FOUND')
    expect(await Promise.all([1, 2, 3].map(() => controller.volumes.create({ name: 'both' })))).toEqual(
      Array(3).fill(controller.volumes.get('both')),
    )
    const stat = statSync(volume.path!)
    expect([stat.uid, stat.gid, stat.mode & 0o7777]).toEqual([7, 8, 0o750])
    expect(controller.volumes.size).toBe(2)
  })

  it('count mounts of each consumer, and are not deleted while somebody has one', async () => {
    const volume = await controller.volumes.create({ name: 'data' })
    await volume.mount('a')
    await volume.mount('a')
    await volume.mount('b')
    expect(volume.users).toEqual(['a', 'b'])
    await volume.unmount('a')
    await expect(volume.delete()).rejects.toMatchObject({ code: 'ERR_CNM_VOLUME_IN_USE', message: expect.stringContaining('a, b') })
    await reopen()
    const again = controller.volumes.get('data')
    expect(again.users).toEqual(['a', 'b'])
    await again.unmount('a')
    expect(await code(again.unmount('a'))).toBe('ERR_CNM_VOLUME_NOT_MOUNTED')
    expect(await code(again.delete())).toBe('ERR_CNM_VOLUME_IN_USE')
    await again.unmount('b')
    await again.delete()
    expect(existsSync(again.path!)).toBe(false)
    expect(await code(again.mount('c'))).toBe('ERR_CNM_VOLUME_NOT_FOUND')
  })

  it('mount what their options say with the first lease, and unmount it with the last', async () => {
    const volume = await controller.volumes.create({
      name: 'memory',
      options: { type: 'tmpfs', device: 'tmpfs', o: 'size=1m,noexec', mode: '0700', owner: '5:6' },
    })
    expect(mountsBelow(stateDir)).toEqual([])
    const path = await volume.mount('a')
    await volume.mount('b')
    expect(mountsBelow(stateDir)).toEqual([path])
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).toMatch(new RegExp(`${path} \\S*noexec.* - tmpfs tmpfs .*size=1024k`))
    const stat = statSync(path)
    expect([stat.uid, stat.gid, stat.mode & 0o7777]).toEqual([5, 6, 0o700])
    expect(() => writeFileSync(join(path, 'big'), Buffer.alloc(2 ** 21))).toThrow('ENOSPC')
    await volume.unmount('a')
    expect(mountsBelow(stateDir)).toEqual([path])
    await reopen()
    expect(mountsBelow(stateDir)).toEqual([path])
    await controller.volumes.get('memory').unmount('b')
    expect(mountsBelow(stateDir)).toEqual([])
    await expect(controller.volumes.create({ name: 'x', options: { type: 'tmpfs' } })).rejects.toMatchObject({ field: 'options.device' })
  })

  it('leave nothing when the mount fails, and say what the kernel says, but no password', async () => {
    const volume = await controller.volumes.create({
      name: 'wrong',
      options: { type: 'tmpfs', device: 'tmpfs', o: 'size=1m,password=geheim' },
    })
    const error = (await volume.mount('a').catch((reason: unknown) => reason)) as Error & { kernelText: string }
    expect(error.message).toContain("Unknown parameter 'password'")
    expect(JSON.stringify([error, error.message, String(error.cause), volume.inspect()])).not.toContain('geheim')
    expect(volume.options.o).toBe('size=1m,password=***')
    expect(volume.users).toEqual([])
    expect(mountsBelow(stateDir)).toEqual([])
    const secret = join(stateDir, 'vol/volumes/secrets', volume.id)
    expect(statSync(secret).mode & 0o777).toBe(0o600)
    expect(readFileSync(join(stateDir, 'vol/store/data.mdb')).includes('geheim')).toBe(false)
    await reopen()
    const again = controller.volumes.get('wrong')
    expect(again.view().options.o).toContain('geheim')
    expect(
      await code(controller.volumes.create({ name: 'wrong', options: { ...again.view().options, o: 'size=1m,password=other' } })),
    ).toBe('ERR_CNM_VOLUME_EXISTS')
    await again.delete()
    expect(existsSync(secret)).toBe(false)
  })

  it('bind a folder of the host', async () => {
    const folder = join(stateDir, 'mine')
    mkdirSync(folder)
    writeFileSync(join(folder, 'file'), 'of the host')
    const volume = await controller.volumes.create({ name: 'bound', options: { type: 'none', device: folder, o: 'bind,ro' } })
    const path = await volume.mount('a')
    expect(readFileSync(join(path, 'file'), 'utf8')).toBe('of the host')
    expect(() => writeFileSync(join(path, 'file'), '')).toThrow('EROFS')
    await volume.unmount('a')
    await volume.delete()
    expect(readFileSync(join(folder, 'file'), 'utf8')).toBe('of the host')
    rmSync(folder, { recursive: true })
  })

  it('are read-only for who may only read, and have one writer where that is wanted', async () => {
    const volume = await controller.volumes.create({ name: 'single', accessMode: 'single-writer' })
    const path = await volume.mount('writer')
    writeFileSync(join(path, 'file'), 'written')
    await expect(volume.mount('other')).rejects.toMatchObject({ code: 'ERR_CNM_VOLUME_IN_USE', message: expect.stringContaining('writer') })
    const view = await volume.mount('other', { readOnly: 'when-busy' })
    expect(view).not.toBe(path)
    expect(readFileSync(join(view, 'file'), 'utf8')).toBe('written')
    expect(() => writeFileSync(join(view, 'file'), '')).toThrow('EROFS')
    await reopen()
    const again = controller.volumes.get('single')
    expect(await code(again.mount('other'))).toBe('ERR_CNM_VOLUME_IN_USE')
    await again.unmount('writer')
    await again.unmount('other')
    expect(mountsBelow(stateDir)).toEqual([])
    await again.mount('other', { readOnly: 'when-busy' })
    expect(again.inspect().Leases).toMatchObject([{ Consumer: 'other', ReadOnly: false }])
  })

  it('are listed by filters, and pruned: anonymous ones unless all is said', async () => {
    const events: string[] = []
    for (const name of ['volume:create', 'volume:mount', 'volume:unmount', 'volume:delete', 'volume:prune'] as const)
      controller.on(name, () => events.push(name))
    const anonymous = await controller.volumes.create()
    expect(anonymous.name).toMatch(/^[0-9a-f]{64}$/)
    const used = await controller.volumes.create({ labels: { keep: '' } })
    await used.mount('a')
    await controller.volumes.create({ name: 'named', labels: { tier: 'web' } })
    writeFileSync(join(anonymous.path!, 'file'), Buffer.alloc(100_000, 1))
    const names = (filters: Record<string, string>): string[] => controller.volumes.list({ filters }).map(({ name }) => name)
    expect(names({ dangling: 'true' })).toEqual([anonymous.name, 'named'])
    expect(names({ label: 'tier=web' })).toEqual(['named'])
    expect(names({ name: 'name', driver: 'local' })).toEqual(['named'])
    expect(() => names({ labl: 'x' })).toThrow('did you mean label?')
    const pruned = await controller.volumes.prune()
    expect(pruned.deleted).toEqual([anonymous.name])
    expect(pruned.reclaimed).toBeGreaterThanOrEqual(100_000)
    expect((await controller.volumes.prune({ all: true, filters: { 'label!': 'tier=web' } })).deleted).toEqual([])
    expect((await controller.volumes.prune({ all: true })).deleted).toEqual(['named'])
    await used.unmount('a')
    expect(events).toEqual([
      'volume:create',
      'volume:create',
      'volume:mount',
      'volume:create',
      'volume:delete',
      'volume:prune',
      'volume:prune',
      'volume:delete',
      'volume:prune',
      'volume:unmount',
    ])
  })

  it('have no part in plans', async () => {
    expect(await code(controller.plan((shadow) => shadow.volumes.create({ name: 'x' })))).toBe('ERR_CNM_NOT_SUPPORTED')
  })
})
