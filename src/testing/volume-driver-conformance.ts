import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import type { JsonValue } from '../contracts/store.js'
import type { VolumeDriver, VolumeView } from '../contracts/volume-driver.js'
import { rejects } from './store/expect.js'

export interface VolumeDriverConformance {
  /** A new driver on the same storage; the suite starts and stops it. */
  driver(): VolumeDriver | Promise<VolumeDriver>
  /** Options of a volume that can be made, mounted and written here. Default none. */
  options?: Record<string, string>
  /** Whether data is there again after the last unmount. Default true; false for memory. */
  keeps?: boolean
  /** `describe` and `it` of the test runner: vitest, node:test, mocha and jest all fit. */
  describe(name: string, body: () => void): unknown
  it(name: string, body: () => Promise<void>): unknown
}

/** What a test does with volumes of a driver. */
interface Bench {
  driver: VolumeDriver
  signal: AbortSignal
  view(name: string, state?: JsonValue): VolumeView
  /** As the core does: what `create` returns is in the view from then on. */
  create(name: string): Promise<VolumeView>
  /** Stops the driver and goes on with a new one, as after a crash or restart. */
  restart(): Promise<VolumeDriver>
}

/**
 * The suite that every {@link VolumeDriver} must pass: that each method can be repeated, that data stays and goes as it
 * should, and that options are checked. Volumes of the names `conformance-a` and `conformance-b` come and go.
 *
 * ```ts
 * import { describe, it } from 'node:test'
 * import { volumeDriverConformance } from 'libcnm/testing'
 * volumeDriverConformance({ driver: () => mine(), describe, it })
 * ```
 */
export function volumeDriverConformance({ driver: make, options = {}, keeps = true, describe, it }: VolumeDriverConformance): void {
  const using = (name: string, body: (bench: Bench) => Promise<void>): void => {
    it(name, async () => {
      const directory = await mkdtemp(join(tmpdir(), 'volume-driver-'))
      try {
        await onBench(make, directory, options, body)
      } finally {
        await rm(directory, { recursive: true, force: true })
      }
    })
  }
  describe('volume driver: options', () => checking(using))
  describe('volume driver: life of a volume', () => living(using, keeps))
  describe('volume driver: after a crash', () => repeating(using, keeps))
}

async function onBench(
  make: VolumeDriverConformance['driver'],
  directory: string,
  options: Record<string, string>,
  body: (bench: Bench) => Promise<void>,
): Promise<void> {
  const { signal } = new AbortController()
  const start = async (): Promise<VolumeDriver> => {
    const driver = await make()
    await driver.start?.({ instance: 'conformance', directory })
    return driver
  }
  const view = (name: string, state?: JsonValue): VolumeView => ({
    id: Buffer.from(name.padEnd(32, '-')).toString('hex'),
    name,
    options,
    labels: {},
    ...(state !== undefined && { state }),
  })
  const made = new Map<string, VolumeView>()
  const bench: Bench = {
    driver: await start(),
    signal,
    view,
    create: async (name) => {
      const state = await bench.driver.create(view(name), signal)
      const volume = view(name, state ?? undefined)
      made.set(name, volume)
      return volume
    },
    restart: async () => {
      await bench.driver.stop?.()
      return (bench.driver = await start())
    },
  }
  try {
    await body(bench)
  } finally {
    for (const volume of made.values()) {
      await bench.driver.unmount(volume, signal)
      await bench.driver.remove(volume, signal)
    }
    await bench.driver.stop?.()
  }
}

type Using = (name: string, body: (bench: Bench) => Promise<void>) => void

const A = 'conformance-a'
const B = 'conformance-b'
const isEmpty = async (path: string): Promise<boolean> => (await readdir(path)).filter((name) => name !== 'lost+found').length === 0

function checking(using: Using): void {
  using('an option that nobody knows is refused by name', async ({ driver }) => {
    const error = await rejects(async () => driver.checkOptions({ 'no-such-option': '1' }), 'ERR_CNM_UNKNOWN_OPTION')
    assert.match(error.message, /no-such-option/)
  })
  using('options that are to be shown have no secrets in them', async ({ driver, view }) => {
    const { shown = {}, secrets = [] } = driver.checkOptions(view(A).options) ?? {}
    for (const secret of secrets) assert.ok(!JSON.stringify(shown).includes(secret), 'a secret is shown')
  })
}

function living(using: Using, keeps: boolean): void {
  using(
    'a volume is an empty folder at an absolute path, and the same one when it is mounted again',
    async ({ driver, create, signal }) => {
      const volume = await create(A)
      const path = await driver.mount(volume, signal)
      assert.ok(isAbsolute(path), path)
      assert.ok((await stat(path)).isDirectory())
      assert.ok(await isEmpty(path))
      assert.equal(await driver.mount(volume, signal), path)
      assert.equal(driver.path?.(volume) ?? path, path)
    },
  )
  using('what is written is there as long as it is mounted, and afterwards', async ({ driver, create, signal }) => {
    const volume = await create(A)
    const file = join(await driver.mount(volume, signal), 'file')
    await writeFile(file, 'content')
    await driver.mount(volume, signal)
    assert.equal(await readFile(file, 'utf8'), 'content')
    await driver.unmount(volume, signal)
    const again = join(await driver.mount(volume, signal), 'file')
    if (keeps) assert.equal(await readFile(again, 'utf8'), 'content')
  })
  using('two volumes are strangers', async ({ driver, create, signal }) => {
    const [a, b] = [await create(A), await create(B)]
    await writeFile(join(await driver.mount(a, signal), 'file'), 'a')
    assert.ok(await isEmpty(await driver.mount(b, signal)))
  })
  using('a removed volume is gone: one of the same name is empty', async ({ driver, create, signal }) => {
    const volume = await create(A)
    await writeFile(join(await driver.mount(volume, signal), 'file'), 'old')
    await driver.unmount(volume, signal)
    await driver.remove(volume, signal)
    const next = await create(A)
    assert.ok(await isEmpty(await driver.mount(next, signal)))
  })
  using('usage is a number of bytes, where it is told', async ({ driver, create, signal }) => {
    const volume = await create(A)
    await driver.mount(volume, signal)
    const bytes = await driver.usage?.(volume, signal)
    assert.ok(bytes === undefined || (Number.isSafeInteger(bytes) && bytes >= 0), String(bytes))
  })
}

function repeating(using: Using, keeps: boolean): void {
  using('creating again keeps what is there', async ({ driver, create, signal }) => {
    const volume = await create(A)
    await writeFile(join(await driver.mount(volume, signal), 'file'), 'content')
    const again = await create(A)
    assert.equal(await readFile(join(await driver.mount(again, signal), 'file'), 'utf8'), 'content')
  })
  using('unmounting and removing can be repeated, and need nothing to be there', async ({ driver, create, view, signal }) => {
    await driver.unmount(view(B), signal)
    await driver.remove(view(B), signal)
    const volume = await create(A)
    await driver.mount(volume, signal)
    for (let time = 0; time < 2; time++) await driver.unmount(volume, signal)
    for (let time = 0; time < 2; time++) await driver.remove(volume, signal)
  })
  using('another driver on the same storage goes on: mounted or not, the data is there', async (bench) => {
    const volume = await bench.create(A)
    await writeFile(join(await bench.driver.mount(volume, bench.signal), 'file'), 'content')
    const next = await bench.restart()
    assert.equal(await readFile(join(await next.mount(volume, bench.signal), 'file'), 'utf8'), 'content')
    await next.unmount(volume, bench.signal)
    const last = await bench.restart()
    const path = await last.mount(volume, bench.signal)
    if (keeps) assert.equal(await readFile(join(path, 'file'), 'utf8'), 'content')
  })
}
