import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Controller } from 'libcnm'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { leftBehind, takeCensus } from '../census.js'
import { needs, needsPrivileges } from '../tools.js'
import { until } from './until.js'

describe.skipIf(needsPrivileges() ?? needs('ip', 'nft', 'mount'))('a controller whose store is in trouble', () => {
  let stateDir: string
  let data: string
  const open = (): Promise<Controller> =>
    Controller.open({ stateDir, instance: 'disk', watch: false, defaultPools: [{ base: '10.94.0.0/16', size: 24 }] })
  const remount = (mode: 'ro' | 'rw'): void => void execFileSync('mount', ['-o', `remount,${mode}`, stateDir])

  beforeEach(async () => {
    stateDir = mkdtempSync(join(tmpdir(), 'disk-'))
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', stateDir])
    data = join(stateDir, 'disk', 'store', 'data.mdb')
    await using controller = await open()
    const network = await controller.createNetwork({ name: 'precious' })
    const sandbox = await controller.createSandbox({ name: 'box' })
    await sandbox.connect(network)
  })
  afterEach(async () => {
    const controller = await open()
    expect(await controller.check()).toEqual([])
    expect((await controller.collect({ keep: [] })).failures).toEqual([])
    for (const network of controller.networks.list()) await network.delete()
    await controller.close()
    execFileSync('umount', [stateDir])
    rmSync(stateDir, { recursive: true })
  })

  /** Nothing of the kernel is touched, and nothing stays of the attempt: the instance can be opened when the store is well. */
  async function refuses(expected: { code: string; errnoName?: string }, words: RegExp): Promise<void> {
    const before = await takeCensus()
    const failure = open()
    await expect(failure).rejects.toMatchObject(expected)
    await expect(failure).rejects.toThrow(words)
    expect(await leftBehind(before)).toEqual([])
  }

  async function isWell(): Promise<void> {
    await using controller = await open()
    expect(controller.networks.get('precious').endpoints).toHaveLength(1)
    expect(await controller.check()).toEqual([])
  }

  it('that is truncated does not open, says the way out, and opens again with a copy', async () => {
    const good = readFileSync(data)
    truncateSync(data, good.length / 2)
    await refuses({ code: 'ERR_CNM_STORE_CORRUPT' }, /is damaged.*Put back a copy of data\.mdb.*move the directory away/)
    writeFileSync(data, good)
    await isWell()
  })

  it('with a flipped byte does not open either', async () => {
    const good = readFileSync(data)
    const bad = Buffer.from(good)
    for (let at = -1; (at = bad.indexOf('precious', at + 1)) >= 0;) bad[at]! ^= 1
    expect(bad.equals(good)).toBe(false)
    writeFileSync(data, bad)
    await refuses({ code: 'ERR_CNM_STORE_CORRUPT' }, /is damaged.*Put back a copy of data\.mdb.*move the directory away/)
    writeFileSync(data, good)
    await isWell()
  })

  it('that is gone is a new one only when the directory is gone too: records are never made up', async () => {
    const good = readFileSync(data)
    writeFileSync(data, '')
    await refuses({ code: 'ERR_CNM_STORE_CORRUPT' }, /move the directory away/)
    writeFileSync(data, good)
    await isWell()
  })

  it('on a read-only disk does not open, and says so', async () => {
    remount('ro')
    await refuses({ code: 'ERR_CNM_STORE', errnoName: 'EROFS' }, /the file system is read-only/)
    remount('rw')
    await isWell()
  })

  it('on a full disk refuses what it cannot record, keeps what it has, and works again when there is room', async () => {
    await using controller = await open()
    const network = controller.networks.get('precious')
    const ballast = join(stateDir, 'ballast')
    expect(() => writeFileSync(ballast, Buffer.alloc(64 << 20))).toThrow('ENOSPC')
    const failures: unknown[] = []
    // Pages that are free in the file take some more.
    for (let count = 0; failures.length < 3 && count < 500; count++) {
      const work = count % 2 === 0 ? controller.createNetwork({ name: `n${count}` }) : network.createEndpoint({ name: `e${count}` })
      await work.catch((error: unknown) => failures.push(error))
    }
    expect(failures).toHaveLength(3)
    for (const failure of failures) {
      const first = failure instanceof AggregateError ? (failure.errors[0] as unknown) : failure
      expect(first).toMatchObject({ code: 'ERR_CNM_STORE', errnoName: 'ENOSPC' })
      expect((failure as Error).message).toContain('make room, then repeat')
    }
    expect(await controller.check()).toEqual([])
    expect(controller.sandboxes.get('box').endpoints).toHaveLength(1)
    rmSync(ballast)
    await until(async () => (await controller.status()).health === 'healthy')
    const sandbox = await controller.createSandbox({ name: 'again' })
    await sandbox.connect(network)
    expect(await controller.collect()).toMatchObject({ objects: [], addresses: [], pools: [], failures: [] })
    expect(await controller.check()).toEqual([])
  })
})
