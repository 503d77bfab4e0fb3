import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Controller, type Sandbox, type SandboxOptions } from 'libcnm'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { leftBehind, takeCensus, type Census } from '../census.js'
import { needsPrivileges } from '../tools.js'

const code = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'no error',
    (error: unknown) => (error as { code?: unknown }).code,
  )

const run = (command: string, ...args: string[]): string => execFileSync(command, args, { encoding: 'utf8', stdio: 'pipe' })

describe.skipIf(needsPrivileges())('mounts for sandboxes', () => {
  let folder: string
  let controller: Controller
  let before: Census
  const open = async (): Promise<Controller> => (controller = await Controller.open({ stateDir: join(folder, 'state'), instance: 'vol' }))
  const sandboxNamed = (name: string, options: Partial<SandboxOptions> = {}): Promise<Sandbox> =>
    controller.createSandbox({ name, ...options })
  /** What a shell inside says; fails when it fails. */
  const sh = async (sandbox: Sandbox, script: string): Promise<string> => {
    const { code, stdout, stderr } = await sandbox.run('sh', ['-c', script])
    if (code !== 0) throw new Error(stderr.trim())
    return stdout.trim()
  }
  const at = (...names: string[]): string => join(folder, 'in', ...names)

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'cnm-mounts-'))
    mkdirSync(join(folder, 'in'))
    // The first named namespace makes its folder a mount.
    await (await open()).createSandbox({ name: 'first' }).then((sandbox) => sandbox.delete())
    await controller.close()
    before = await takeCensus()
    await open()
  })
  afterEach(async () => {
    for (const sandbox of controller.sandboxes.list()) await sandbox.delete()
    expect((await controller.volumes.prune({ all: true })).deleted.length).toBeGreaterThanOrEqual(0)
    expect(controller.volumes.size).toBe(0)
    await controller.close()
    expect(await leftBehind(before)).toEqual([])
    expect(readdirSync(join(folder, 'in'))).toEqual([])
    expect(existsSync('/run/libcnm/mount-points') ? readdirSync('/run/libcnm/mount-points') : []).toEqual([])
    rmSync(folder, { recursive: true })
  })

  it('files outlive the sandbox that wrote them; two share; read-only is read-only', async () => {
    const first = await sandboxNamed('one')
    await first.mount('data', at('data'))
    await sh(first, `echo kept > ${at('data/file')}`)
    expect(readdirSync(at('data'))).toEqual([])
    expect(first.inspect().Mounts).toMatchObject([{ Type: 'volume', Name: 'data', Driver: 'local', Destination: at('data'), RW: true }])
    await first.delete()
    expect(existsSync(at('data'))).toBe(false)
    const [second, third] = [await sandboxNamed('two'), await sandboxNamed('three')]
    await second.mount(controller.volumes.get('data'), at('here'))
    await third.mount('data', at('here/deeper'), { readOnly: true })
    expect(await sh(third, `cat ${at('here/deeper/file')}`)).toBe('kept')
    await sh(second, `echo shared > ${at('here/other')}`)
    expect(await sh(third, `cat ${at('here/deeper/other')}`)).toBe('shared')
    await expect(sh(third, `echo x > ${at('here/deeper/file')}`)).rejects.toThrow(/[Rr]ead-only/)
    expect(controller.volumes.get('data').users).toEqual(['sandbox two', 'sandbox three'])
    await expect(controller.volumes.get('data').delete()).rejects.toThrow('sandbox two, sandbox three')
    await second.unmount(at('here'))
    expect(await sh(third, `cat ${at('here/deeper/other')}`)).toBe('shared')
  })

  it('appear for programs that run already, and disappear for them', async () => {
    const sandbox = await sandboxNamed('one')
    const program = await sandbox.spawn('sh', ['-c', 'while read path; do cat "$path" 2>/dev/null || echo nothing; done'])
    const ask = async (): Promise<string> => {
      program.stdin!.write(`${at('data/file')}\n`)
      return String((await once(program.stdout!, 'data'))[0]).trim()
    }
    const volume = await controller.volumes.create({ name: 'data' })
    writeFileSync(join(volume.path!, 'file'), 'seen')
    expect(await ask()).toBe('nothing')
    await sandbox.mount(volume, at('data'))
    expect(await ask()).toBe('seen')
    await sandbox.unmount(at('data'))
    expect(await ask()).toBe('nothing')
    expect(volume.users).toEqual([])
    expect(await code(sandbox.unmount(at('data')))).toBe('ERR_CNM_VOLUME_NOT_MOUNTED')
  })

  it('stay when the controller is closed, and are there for programs started by the next', async () => {
    const sandbox = await sandboxNamed('one')
    await sandbox.mount({ type: 'volume', name: 'memory', options: { type: 'tmpfs', device: 'tmpfs' } }, at('data'))
    await sh(sandbox, `echo kept > ${at('data/file')}`)
    await controller.close()
    await open()
    const again = controller.sandboxes.get('one')
    expect(await sh(again, `cat ${at('data/file')}`)).toBe('kept')
    expect(controller.volumes.get('memory').users).toEqual(['sandbox one'])
    await again.unmount(at('data'))
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(folder)
  })

  it('show a folder or file of the host, and memory', async () => {
    mkdirSync(join(folder, 'mine/below'), { recursive: true })
    writeFileSync(join(folder, 'mine/file'), 'of the host')
    const sandbox = await sandboxNamed('one')
    await sandbox.mount({ type: 'bind', source: join(folder, 'mine') }, at('folder'), { readOnly: true })
    await sandbox.mount({ type: 'bind', source: join(folder, 'mine/file') }, at('file'))
    await sandbox.mount({ type: 'tmpfs', size: '1m', mode: 0o700, uid: 3 }, at('memory'))
    expect(await sh(sandbox, `cat ${at('folder/file')} ${at('file')}`)).toBe('of the hostof the host')
    await expect(sh(sandbox, `touch ${at('folder/new')}`)).rejects.toThrow(/[Rr]ead-only/)
    expect(await sh(sandbox, `stat -c '%a %u' ${at('memory')}; grep ${at('memory')} /proc/self/mountinfo`)).toMatch(
      /^700 3\n.*nosuid,nodev,noexec.*size=1024k/,
    )
    expect(await code(sandbox.mount({ type: 'tmpfs' }, at('memory')))).toBe('ERR_CNM_MOUNT_EXISTS')
    expect(await code(sandbox.mount({ type: 'bind', source: join(folder, 'nix') }, at('nix')))).toBe('ERR_CNM_KERNEL')
    expect(existsSync(at('nix'))).toBe(false)
    await sandbox.mount({ type: 'bind', source: join(folder, 'new'), create: true }, at('new'))
    expect(statSync(join(folder, 'new')).isDirectory()).toBe(true)
    expect(await code(sandbox.mount({ type: 'bind', source: folder, sourc: 1 } as never, at('x')))).toBe('ERR_CNM_UNKNOWN_OPTION')
    expect(await code(sandbox.mount({ type: 'bind', source: folder }, at('x'), { subpath: 'x' }))).toBe('ERR_CNM_INVALID_ARGUMENT')
    expect(await code(sandbox.mount('data', 'relative'))).toBe('ERR_CNM_INVALID_ARGUMENT')
    expect(await code(sandbox.mount('data', '/'))).toBe('ERR_CNM_INVALID_ARGUMENT')
  })

  describe('spread what is mounted below as they are told', () => {
    const source = (): string => join(folder, 'source')
    /** What mountinfo says about a mount: `shared:5`, `master:5`, or nothing. */
    const words = (mountinfo: string, target: string): string =>
      mountinfo
        .split('\n')
        .find((line) => line.split(' ')[4] === target)
        ?.split(' - ')[0]!
        .split(' ')
        .slice(6)
        .join(' ') ?? 'not mounted'
    const onHost = (target: string): boolean => words(readFileSync('/proc/self/mountinfo', 'utf8'), target) !== 'not mounted'

    beforeEach(() => {
      mkdirSync(source())
      run('mount', '-t', 'tmpfs', 'tmpfs', source())
      run('mount', '--make-shared', source())
      for (const name of ['late', 'inside']) mkdirSync(join(source(), name))
    })
    afterEach(() => {
      for (const target of [join(source(), 'late'), join(source(), 'inside'), source()]) if (onHost(target)) run('umount', target)
    })

    it.each([
      { propagation: undefined, into: false, out: false, said: /^$/ },
      { propagation: 'private', into: false, out: false, said: /^$/ },
      { propagation: 'slave', into: true, out: false, said: /^master:\d+$/ },
      { propagation: 'rslave', into: true, out: false, said: /^master:\d+$/ },
      { propagation: 'rshared', into: true, out: true, said: /^shared:\d+$/ },
    ] as const)('$propagation', async ({ propagation, into, out, said }) => {
      const sandbox = await sandboxNamed('one')
      await sandbox.mount({ type: 'bind', source: source() }, at('data'), { propagation })
      const inside = (): Promise<string> => sh(sandbox, 'cat /proc/self/mountinfo')
      expect(words(await inside(), at('data'))).toMatch(said)
      run('mount', '-t', 'tmpfs', 'late', join(source(), 'late'))
      expect(words(await inside(), at('data/late')) !== 'not mounted').toBe(into)
      await sh(sandbox, `mount -t tmpfs inside ${at('data/inside')}`)
      expect(onHost(join(source(), 'inside'))).toBe(out)
      if (out) await sh(sandbox, `umount ${at('data/inside')}`)
    })

    it('as a volume that is a folder of the host, whose own mount says so too', async () => {
      const volume = await controller.volumes.create({ name: 'data', options: { type: 'none', device: source(), o: 'rbind,rslave' } })
      const path = await volume.mount('job')
      expect(words(readFileSync('/proc/self/mountinfo', 'utf8'), path)).toMatch(/^master:\d+$/)
      run('mount', '-t', 'tmpfs', 'late', join(source(), 'late'))
      expect(onHost(join(path, 'late'))).toBe(true)
      run('umount', join(source(), 'late'))
      await volume.unmount('job')
    })
  })

  it('do not follow links to their target', async () => {
    mkdirSync(join(folder, 'elsewhere'))
    symlinkSync(join(folder, 'elsewhere'), at('link'))
    const sandbox = await sandboxNamed('one')
    await expect(sandbox.mount('data', at('link/data'))).rejects.toMatchObject({ code: 'ERR_CNM_INVALID_ARGUMENT', field: 'target' })
    expect(readdirSync(join(folder, 'elsewhere'))).toEqual([])
    expect(sandbox.inspect().Mounts).toEqual([])
    expect(controller.volumes.get('data').users).toEqual([])
    rmSync(at('link'))
  })

  it('fill a new volume with what was there, once, unless told not to', async () => {
    mkdirSync(at('etc/deep'), { recursive: true })
    writeFileSync(at('etc/deep/file'), 'default', { mode: 0o640 })
    symlinkSync('deep/file', at('etc/link'))
    const sandbox = await sandboxNamed('one')
    await sandbox.mount('empty', at('etc'), { noCopy: true })
    expect(await sh(sandbox, `ls ${at('etc')}`)).toBe('')
    await sandbox.unmount(at('etc'))
    await sandbox.mount('filled', at('etc'))
    expect(await sh(sandbox, `cat ${at('etc/link')}; stat -c %a ${at('etc/deep/file')}; echo mine > ${at('etc/deep/file')}`)).toBe(
      'default640',
    )
    await sandbox.unmount(at('etc'))
    writeFileSync(at('etc/more'), 'later')
    await sandbox.mount('filled', at('etc'))
    expect(await sh(sandbox, `cat ${at('etc/link')}; ls ${at('etc')}`)).toBe('mine\ndeep\nlink')
    expect(readFileSync(at('etc/deep/file'), 'utf8')).toBe('default')
    rmSync(at('etc'), { recursive: true })
  })

  it('show a part of a volume, and no way leads out of it', async () => {
    const volume = await controller.volumes.create({ name: 'data' })
    const path = volume.path!
    mkdirSync(join(path, 'a/b'), { recursive: true })
    writeFileSync(join(path, 'a/b/file'), 'inside')
    writeFileSync(join(folder, 'secret'), 'outside')
    symlinkSync('a', join(path, 'inner'))
    symlinkSync('../../../..', join(path, 'up'))
    symlinkSync(folder, join(path, 'absolute'))
    symlinkSync('/proc/self/root', join(path, 'magic'))
    const sandbox = await sandboxNamed('one')
    await sandbox.mount(volume, at('part'), { subpath: 'inner/b' })
    await sandbox.mount(volume, at('file'), { subpath: 'a/b/file', readOnly: true })
    expect(await sh(sandbox, `cat ${at('part/file')} ${at('file')}`)).toBe('insideinside')
    for (const subpath of ['..', 'a/../..', 'up', 'up/etc', 'absolute/secret', 'absolute', 'magic', '/etc', '/'])
      expect([subpath, await code(sandbox.mount(volume, at('out'), { subpath }))]).toEqual([subpath, 'ERR_CNM_INVALID_ARGUMENT'])
    expect(await code(sandbox.mount(volume, at('out'), { subpath: 'missing' }))).toBe('ERR_CNM_KERNEL')
    expect(existsSync(at('out'))).toBe(false)
    expect(sandbox.inspect().Mounts).toHaveLength(2)
    expect(volume.inspect().Leases).toMatchObject([{ Count: 2 }])
  })

  it('and none while somebody swaps folders for links', async () => {
    const volume = await controller.volumes.create({ name: 'data' })
    const path = volume.path!
    const outside = join(folder, 'outside')
    for (const top of [join(path, 'a'), outside]) mkdirSync(join(top, 'b'), { recursive: true })
    writeFileSync(join(path, 'a/b/file'), 'inside')
    writeFileSync(join(outside, 'b/file'), 'outside')
    const sandbox = await sandboxNamed('one')
    const swap = async (): Promise<ChildProcess> => {
      const args = [join(import.meta.dirname, 'swap-program.mjs'), join(path, 'a'), join(path, 'away'), outside]
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
      await once(child.stdout, 'data')
      return child
    }
    const stop = async (child: ChildProcess): Promise<void> => {
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    }
    const swapper = await swap()
    const results = new Map<string, number>()
    for (let attempt = 0; attempt < 150; attempt++) {
      const result = await sandbox.mount(volume, at('part'), { subpath: 'a/b/file' }).then(
        () => sh(sandbox, `cat ${at('part')}`),
        (error: { code: string; errnoName?: string }) => error.errnoName ?? error.code,
      )
      results.set(result, (results.get(result) ?? 0) + 1)
      if (result === 'inside' || result === 'outside') await sandbox.unmount(at('part'))
    }
    await stop(swapper)
    expect([...results.keys()].filter((result) => !['inside', 'ENOENT', 'ERR_CNM_INVALID_ARGUMENT'].includes(result))).toEqual([])
    expect(results.get('inside')).toBeGreaterThan(0)
    expect(results.size).toBeGreaterThan(1)
    // Nor does a deletion find its way out.
    for (let file = 0; file < 3000; file++) writeFileSync(join(outside, 'b', `file-${file}`), '')
    rmSync(path, { recursive: true })
    mkdirSync(join(path, 'a/b'), { recursive: true })
    for (let file = 0; file < 3000; file++) writeFileSync(join(path, 'a/b', `file-${file}`), '')
    const again = await swap()
    await volume.delete().catch(() => undefined)
    await stop(again)
    if (controller.volumes.find('data') !== undefined) await volume.delete()
    expect(readdirSync(join(outside, 'b'))).toHaveLength(3001)
  }, 60_000)

  it('are mount points for several at once: one made for the first stays until the last has gone', async () => {
    const [one, two] = [await sandboxNamed('one'), await sandboxNamed('two')]
    await one.mount('data', at('a/b'))
    await two.mount('data', at('a/b/c'))
    await one.delete()
    await sh(two, `echo x > ${at('a/b/c/file')}`)
    expect(existsSync(at('a/b/c'))).toBe(true)
    await two.delete()
    expect(readdirSync(join(folder, 'in'))).toEqual([])
  })
})
