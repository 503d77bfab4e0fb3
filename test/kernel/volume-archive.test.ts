import { execFileSync } from 'node:child_process'
import {
  createReadStream,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { Controller, type Volume, type VolumeProgress } from 'libcnm'
import { Kernel } from 'libcnm/kernel'
import { pack, type Headers } from 'tar-stream'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { leftBehind, takeCensus, type Census } from '../census.js'
import { needs, needsPrivileges, needsRealRoot } from '../tools.js'

const tar = (...entries: [header: Headers, content?: string][]): Readable => {
  const archive = pack()
  for (const [header, content] of entries) {
    if (content === undefined) archive.entry(header)
    else archive.entry(header, content)
  }
  archive.finalize()
  return archive
}
const run = (command: string, ...args: string[]): string => execFileSync(command, args, { encoding: 'utf8', stdio: 'pipe' })

describe.skipIf(needsPrivileges())('copies of volumes', () => {
  let folder: string
  let controller: Controller
  let before: Census
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'cnm-archive-'))
    before = await takeCensus()
    controller = await Controller.open({ stateDir: folder, instance: 'vol' })
  })
  afterEach(async () => {
    for (const volume of controller.volumes.list()) expect(volume.users).toEqual([])
    await controller.volumes.prune({ all: true })
    await controller.close()
    expect(await leftBehind(before)).toEqual([])
    rmSync(folder, { recursive: true })
  })

  /** Files of every kind. */
  async function sample(): Promise<Volume> {
    const volume = await controller.volumes.create({ name: 'origin', options: { mode: '0750' } })
    const at = (name: string): string => join(volume.path!, name)
    mkdirSync(at('deep/er'), { recursive: true, mode: 0o711 })
    writeFileSync(at('deep/er/file'), 'content', { mode: 0o640 })
    writeFileSync(at(`${'long'.repeat(50)}ä`), 'x')
    linkSync(at('deep/er/file'), at('same'))
    symlinkSync('deep/er/file', at('link'))
    run('mkfifo', '-m', '604', at('fifo'))
    writeFileSync(at('sparse'), 'begin')
    truncateSync(at('sparse'), 8 * 2 ** 20)
    writeFileSync(at('program'), '#!/bin/sh\n', { mode: 0o755 })
    run('chmod', 'u+s', at('program'))
    run('chown', '-h', '12:34', at('deep'), at('link'), at('program'))
    run('chmod', '4755', at('program'))
    utimesSync(at('deep/er/file'), 1e9, 1e9 + 0.25)
    utimesSync(at('deep'), 1e9, 1e9 + 5)
    return volume
  }
  const listing = (path: string): string[] =>
    run('find', path, '-printf', '%P|%y|%m|%U:%G|%T@|%l|%n\n')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('|'))
      .map((line) => line.replace(/(\.\d{4})\d*/, '$1'))
      .sort()

  it.skipIf(needsRealRoot())('a clone and an import of an export have everything that the original has', async () => {
    const seen: VolumeProgress[] = []
    controller.on('volume:progress', (progress) => seen.push(progress))
    const volume = await sample()
    const kernel = await Kernel.open()
    await using _closing = kernel
    const { open } = await import('node:fs/promises')
    const file = await open(join(volume.path!, 'program'))
    const value = Buffer.from([0, 255, 10, 61]).toString('base64')
    const attributes: [string, string][] = [
      ['user.note', value],
      ['trusted.overlay.redirect', value],
    ]
    await kernel.files.setAttributes(file.fd, attributes)
    await file.close()

    const clone = await volume.clone({ name: 'clone' })
    const imported = await controller.volumes.import(await volume.export(), { name: 'imported' })
    for (const copy of [clone, imported]) {
      expect(listing(copy.path!)).toEqual(listing(volume.path!))
      expect(lstatSync(copy.path!).mode & 0o7777).toBe(0o750)
      expect(readFileSync(join(copy.path!, 'link'), 'utf8')).toBe('content')
      expect(lstatSync(join(copy.path!, 'sparse')).size).toBe(8 * 2 ** 20)
      expect(lstatSync(join(copy.path!, 'sparse')).blocks * 512).toBeLessThan(100_000)
      const copied = await open(join(copy.path!, 'program'))
      expect((await kernel.files.getAttributes(copied.fd)).filter(([name]) => name !== 'security.selinux')).toEqual([['user.note', value]])
      await copied.close()
    }
    expect([...new Set(seen.map(({ operation }) => operation))].sort()).toEqual(['clone', 'export', 'import'])
    expect(seen.filter(({ done }) => done)).toHaveLength(3)
    expect(Math.min(...seen.filter(({ done }) => done).map(({ bytes }) => bytes))).toBeGreaterThan(8 * 2 ** 20)
    expect(await controller.volumes.create({ name: 'clone', options: { mode: '0750' } })).toBe(clone)
  })

  it.skipIf(needs('tar', 'find') ?? needsRealRoot())('what GNU tar writes is read, and what is written GNU tar reads', async () => {
    const volume = await sample()
    const out = join(folder, 'out')
    mkdirSync(out)
    writeFileSync(join(folder, 'export.tar'), await buffer(await volume.export()))
    run('tar', '-C', out, '--numeric-owner', '-xpf', join(folder, 'export.tar'))
    expect(listing(out)).toEqual(listing(volume.path!))
    run('tar', '-C', out, '-cf', join(folder, 'gnu.tar'), '.')
    const imported = await controller.volumes.import(createReadStream(join(folder, 'gnu.tar')), { name: 'gnu' })
    const whole = (lines: string[]): string[] => lines.map((line) => line.replace(/\.\d+/, ''))
    expect(whole(listing(imported.path!))).toEqual(whole(listing(volume.path!)))
  })

  it('a snapshot is never written to', async () => {
    const volume = await controller.volumes.create({ name: 'origin' })
    writeFileSync(join(volume.path!, 'file'), 'then')
    const snapshot = await volume.snapshot({ name: 'snap', labels: { of: 'origin' } })
    writeFileSync(join(volume.path!, 'file'), 'now')
    const view = await snapshot.mount('reader')
    expect(readFileSync(join(view, 'file'), 'utf8')).toBe('then')
    expect(() => writeFileSync(join(view, 'file'), '')).toThrow('EROFS')
    await expect(snapshot.mount('writer', { readOnly: false })).rejects.toMatchObject({ code: 'ERR_CNM_INVALID_ARGUMENT' })
    await snapshot.unmount('reader')
    await expect(volume.snapshot({ name: 'snap' })).rejects.toMatchObject({ code: 'ERR_CNM_VOLUME_EXISTS' })
  })

  it('of a single-writer volume are made while nobody writes; a copy is not the same storage', async () => {
    const volume = await controller.volumes.create({ name: 'origin', accessMode: 'single-writer' })
    await volume.mount('writer')
    await expect(volume.clone({ name: 'copy' })).rejects.toMatchObject({ code: 'ERR_CNM_VOLUME_IN_USE' })
    await volume.unmount('writer')
    mkdirSync(join(folder, 'mine'))
    const bound = await controller.volumes.create({ name: 'bound', options: { type: 'none', device: join(folder, 'mine'), o: 'bind' } })
    await expect(bound.clone({ name: 'copy' })).rejects.toMatchObject({ code: 'ERR_CNM_INVALID_ARGUMENT', field: 'options' })
    expect(existsSync(join(folder, 'mine'))).toBe(true)
    expect((await bound.clone({ name: 'copy', options: {} })).name).toBe('copy')
  })

  it('an export that nobody reads to its end gives the volume back', async () => {
    const volume = await controller.volumes.create({ name: 'origin' })
    writeFileSync(join(volume.path!, 'big'), Buffer.alloc(4 * 2 ** 20, 1))
    const stream = await volume.export()
    for await (const _chunk of stream) {
      expect(volume.users).toHaveLength(1)
      break
    }
    await expect.poll(() => volume.users).toEqual([])
  })

  const inside: [Headers, string] = [{ name: 'inside/file' }, 'x']
  const attempts: Record<string, () => Readable> = {
    'an absolute path': () => tar(inside, [{ name: '/escaped' }, 'x']),
    '..': () => tar([{ name: 'a/../../escaped' }, 'x']),
    'an absolute link': () => tar([{ name: 'link', type: 'symlink', linkname: '/etc/passwd' }]),
    'a link that leads out': () => tar([{ name: 'a/link', type: 'symlink', linkname: '../../escaped' }]),
    'a link that leads out by way of another': () =>
      tar([{ name: 'a/b/here', type: 'symlink', linkname: '..' }], [{ name: 'a/b/link', type: 'symlink', linkname: 'here/../../..' }]),
    'an entry through a link': () => tar([{ name: 'a/link', type: 'symlink', linkname: '..' }], [{ name: 'a/link/file' }, 'x']),
    'a folder through a link': () => tar([{ name: 'link', type: 'symlink', linkname: '.' }], [{ name: 'link', type: 'directory' }]),
    'a hard link to outside': () => tar([{ name: 'link', type: 'link', linkname: '../../../../store/data.mdb' }]),
    'a hard link to an absolute path': () => tar([{ name: 'link', type: 'link', linkname: '/etc/passwd' }]),
    'a hard link to a link': () =>
      tar([{ name: 'link', type: 'symlink', linkname: 'x' }], [{ name: 'second', type: 'link', linkname: 'link' }]),
    'a device': () => tar([{ name: 'null', type: 'character-device', devmajor: 1, devminor: 3 }]),
    'a disk': () => tar([{ name: 'disk', type: 'block-device', devmajor: 254, devminor: 0 }]),
    'a file in place of a folder': () => tar(inside, [{ name: 'inside' }, 'x']),
    'no archive': () => Readable.from([Buffer.alloc(2000, 'x')]),
    'half an archive': () =>
      Readable.from(
        (async function* () {
          yield (await buffer(tar([{ name: 'file' }, 'x'.repeat(5000)]))).subarray(0, 3000)
        })(),
      ),
    'a huge header': () => {
      const header = Buffer.alloc(512)
      header.write('long')
      header.write('0000644\0', 100)
      header.write('77777777777\0', 124)
      header.write('x', 156)
      header.write('ustar\0' + '00', 257)
      header.write('        ', 148)
      header.write(
        `${header
          .reduce((sum, byte) => sum + byte, 0)
          .toString(8)
          .padStart(6, '0')}\0 `,
        148,
      )
      return Readable.from(
        (function* () {
          yield header
          for (;;) yield Buffer.alloc(65536, 'x')
        })(),
      )
    },
  }
  it.each(Object.keys(attempts))('an archive with %s is refused, and nothing of it stays', async (what) => {
    await expect(controller.volumes.import(attempts[what]!(), { name: 'hostile' })).rejects.toMatchObject({
      code: 'ERR_CNM_ARCHIVE_REFUSED',
    })
    expect(controller.volumes.size).toBe(0)
    expect(readdirSync(join(folder, 'vol/volumes/local'))).toEqual([])
    expect(readdirSync(folder)).toEqual(['vol'])
    expect(readdirSync(join(folder, 'vol')).sort()).toEqual(['store', 'volumes'])
  })
})
