import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { Kernel } from 'libcnm/kernel'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { MountObject } from '../../src/contracts/kernel-objects.js'
import type { Operation } from '../../src/contracts/operations.js'
import { leftBehind, takeCensus, type Census } from '../census.js'
import { needsPrivileges } from '../tools.js'

const FOLDER = '/run/mounts'
const create = (object: MountObject, replace?: true): Operation => ({ do: 'create', object, replace })
const remove = (object: MountObject, missing?: 'ignore'): Operation => ({ do: 'delete', object, missing })
const code = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => (error as { code?: unknown }).code,
  )
/** As the kernel says it: options and propagation of what is seen at a path. */
const seen = (target: string): string | undefined =>
  readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.split(' ')[4] === target)
    .at(-1)

describe.skipIf(needsPrivileges())('mounts in transactions', () => {
  let kernel: Kernel
  let before: Census
  beforeAll(async () => (kernel = await Kernel.open()))
  afterAll(() => kernel.close())
  beforeEach(async () => {
    for (const name of ['source/below', 'target', 'other']) mkdirSync(`${FOLDER}/${name}`, { recursive: true })
    writeFileSync(`${FOLDER}/source/file`, 'content')
    before = await takeCensus()
  })
  afterEach(async () => {
    expect(await leftBehind(before)).toEqual([])
    rmSync(FOLDER, { recursive: true })
  })

  const target = `${FOLDER}/target`
  const bind: MountObject = { kind: 'mount', source: `${FOLDER}/source`, target, flags: ['bind'] }

  it('bind a folder, and let it go', async () => {
    await kernel.transaction([create(bind)])
    expect(readFileSync(`${target}/file`, 'utf8')).toBe('content')
    await kernel.transaction([remove(bind)])
    expect(() => statSync(`${target}/file`)).toThrow('ENOENT')
  })

  it('take restrictions, also for a bind mount, which needs a second step', async () => {
    await kernel.transaction([create({ ...bind, flags: ['bind', 'ro', 'nosuid', 'noexec'] })])
    expect(seen(target)).toMatch(/ ro,nosuid,noexec,/)
    expect(() => writeFileSync(`${target}/file`, 'x')).toThrow('EROFS')
    writeFileSync(`${FOLDER}/source/file`, 'the source is not restricted')
    await kernel.transaction([remove(bind)])
  })

  it('restrict what is mounted below too when they take it along', async () => {
    const below: MountObject = { kind: 'mount', source: 'below', type: 'tmpfs', target: `${FOLDER}/source/below`, flags: ['nodev'] }
    await kernel.transaction([create(below), create({ ...bind, flags: ['rbind', 'ro'] })])
    expect(seen(`${target}/below`)).toMatch(/ ro,nodev,/)
    expect(() => writeFileSync(`${target}/below/x`, '')).toThrow('EROFS')
    writeFileSync(`${FOLDER}/source/below/x`, '')
    await kernel.transaction([remove(bind), remove(below)])
  })

  it('mount a file system with its data, and say how mounts spread', async () => {
    const object: MountObject = {
      kind: 'mount',
      source: 'small',
      type: 'tmpfs',
      target,
      flags: ['nosuid', 'rshared'],
      data: 'size=64k,mode=700',
    }
    await kernel.transaction([create(object)])
    expect(seen(target)).toMatch(/ shared:\d+ .*- tmpfs small .*size=64k/)
    expect(statSync(target).mode & 0o777).toBe(0o700)
    const [mount] = (await kernel.mounts()).filter((each) => each.target === target)
    expect(mount).toMatchObject({ type: 'tmpfs', source: 'small', root: '/' })
    expect(await kernel.list('host', ['mount'], { target })).toMatchObject([{ source: 'small', flags: ['nosuid'] }])
    await kernel.transaction([remove(object)])
  })

  it('are not stacked; the same one again is no error when it may be there', async () => {
    await kernel.transaction([create(bind)])
    expect(await code(kernel.transaction([create(bind)]))).toBe('ERR_CNM_KERNEL')
    await kernel.transaction([create(bind, true)])
    await expect(kernel.transaction([create({ ...bind, source: `${FOLDER}/other` }, true)])).rejects.toMatchObject({ errnoName: 'EBUSY' })
    await kernel.transaction([remove(bind)])
  })

  it('change, or stay as they were', async () => {
    await kernel.transaction([create(bind)])
    await kernel.transaction([{ do: 'change', from: bind, to: { ...bind, flags: ['bind', 'ro'] } }])
    expect(seen(target)).toMatch(/ ro,/)
    expect(
      await code(
        kernel.transaction([{ do: 'change', from: { ...bind, flags: ['bind', 'ro'] }, to: { ...bind, source: `${FOLDER}/nothing` } }]),
      ),
    ).toBe('ERR_CNM_KERNEL')
    expect(seen(target)).toMatch(/ ro,/)
    await kernel.transaction([remove(bind)])
  })

  it('are refused in words', async () => {
    expect(await code(kernel.transaction([create({ ...bind, target: 'relative' })]))).toBe('ERR_CNM_INVALID_ARGUMENT')
    expect(await code(kernel.transaction([create({ ...bind, flags: ['bind', 'fast'] })]))).toBe('ERR_CNM_INVALID_ARGUMENT')
    expect(await code(kernel.transaction([create({ kind: 'mount', source: 'x', type: 'no-such-fs', target })]))).toBe(
      'ERR_CNM_NOT_SUPPORTED',
    )
    await expect(kernel.transaction([remove(bind)])).rejects.toMatchObject({ operation: `umount ${target}`, errnoName: 'ENOENT' })
    await kernel.transaction([remove(bind, 'ignore')])
  })
})
