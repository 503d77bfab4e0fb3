import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { CnmError, type VolumeDriver } from 'libcnm'
import { local } from 'libcnm/drivers/volume'
import { Kernel } from 'libcnm/kernel'
import { volumeDriverConformance } from 'libcnm/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { leftBehind, takeCensus, type Census } from '../census.js'
import { needsPrivileges } from '../tools.js'

describe.skipIf(needsPrivileges())('the suite for volume drivers', () => {
  let kernel: Kernel
  let before: Census
  beforeAll(async () => {
    kernel = await Kernel.open()
    before = await takeCensus()
  })
  afterAll(async () => {
    expect(await leftBehind(before)).toEqual([])
    await kernel.close()
  })

  describe('local, folders', () => volumeDriverConformance({ driver: () => local({ kernel }), options: { mode: '0711' }, describe, it }))
  describe('local, mounted', () =>
    volumeDriverConformance({
      driver: () => local({ kernel }),
      options: { type: 'tmpfs', device: 'tmpfs', o: 'size=1m' },
      keeps: false,
      describe,
      it,
    }))

  describe('finds defects', () => {
    /** A driver of folders with one method replaced. */
    const defective = (defect: (directory: () => string) => Partial<VolumeDriver>): VolumeDriver => {
      let directory = ''
      const path = ({ name }: { name: string }): string => join(directory, name)
      return {
        name: 'defective',
        start: async (context) => void (directory = context.directory),
        checkOptions: (options) => {
          const [first] = Object.keys(options)
          if (first !== undefined) throw new CnmError('ERR_CNM_UNKNOWN_OPTION', `unknown option ${first}`)
        },
        create: async (volume) => void (await mkdir(path(volume), { recursive: true })),
        remove: async (volume) => rm(path(volume), { recursive: true, force: true }),
        mount: async (volume) => path(volume),
        unmount: async () => undefined,
        ...defect(() => directory),
      }
    }
    const failures = async (driver: () => VolumeDriver): Promise<number> => {
      const bodies: (() => Promise<void>)[] = []
      volumeDriverConformance({ driver, describe: (_name, body) => body(), it: (_name, body) => bodies.push(body) })
      const results = await Promise.allSettled(bodies.map((body) => body()))
      return results.filter(({ status }) => status === 'rejected').length
    }
    it.each<[string, (directory: () => string) => Partial<VolumeDriver>]>([
      ['options are not checked', () => ({ checkOptions: () => undefined })],
      ['volumes share a folder', (directory) => ({ mount: async () => directory() })],
      ['remove does nothing', () => ({ remove: async () => undefined })],
      ['remove cannot be repeated', (directory) => ({ remove: async ({ name }) => rm(join(directory(), name), { recursive: true }) })],
      ['mount returns a relative path', () => ({ mount: async ({ name }) => name })],
      ['path is another one', () => ({ path: () => '/elsewhere' })],
    ])('%s', async (_what, defect) => expect(await failures(() => defective(defect))).toBeGreaterThan(0))
    it('and none where there is none', async () => expect(await failures(() => defective(() => ({})))).toBe(0))
  })
})
