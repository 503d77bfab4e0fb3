import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Controller } from 'libcnm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { leftBehind, takeCensus, type Census } from '../census.js'
import { needsPrivileges } from '../tools.js'

/** LIBCNM_TEST_KILLS=200 for the long run. */
const KILLS = Number(process.env.LIBCNM_TEST_KILLS ?? 6)

describe.skipIf(needsPrivileges())('volumes of a process that is killed', () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'cnm-volume-crash-'))
  const kept = new Map<string, string>()
  const gone = new Set<string>()
  let before: Census
  beforeAll(async () => {
    const controller = await Controller.open({ stateDir, instance: 'vol' })
    await controller.createSandbox({ name: 'first' }).then((sandbox) => sandbox.delete())
    await controller.close()
    before = await takeCensus()
  })
  afterAll(() => rmSync(stateDir, { recursive: true, force: true }))

  /** Runs the program until it has said so many lines. @returns who had mounted what, by its own account, when it died */
  async function killAfter(life: number, lines: number): Promise<Map<string, string>> {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'volume-crash-program.mjs'), stateDir, String(life)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const mounted = new Map<string, string>()
    let seen = 0
    for await (const line of createInterface(child.stdout)) {
      const [what, name = '', ...rest] = line.split(' ')
      if (what === '+') kept.set(name, rest.join(' '))
      if (what === '-') gone.add(name)
      if (what === 'mounted') mounted.set(name, rest.join(' '))
      if (what === 'unmounting') mounted.delete(name)
      if (++seen === lines) child.kill('SIGKILL')
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    expect(child.signalCode).toBe('SIGKILL')
    return mounted
  }

  const mountsBelow = (): string[] =>
    readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[4] ?? '')
      .filter((target) => target.startsWith(stateDir))

  async function examine(mounted: Map<string, string>): Promise<void> {
    const warnings: string[] = []
    const controller = await Controller.open({ stateDir, instance: 'vol' })
    controller.on('warning', ({ message }) => warnings.push(message))
    const volumes = controller.volumes.list()
    // No lost lease.
    for (const [name, user] of mounted) expect([name, controller.volumes.get(name).users]).toEqual([name, expect.arrayContaining([user])])
    // No mount without a lease, and none of a lease missing.
    const leased = volumes.filter(({ options, users }) => options.type === 'tmpfs' && users.length > 0).map(({ path }) => path!)
    const views = volumes
      .filter((volume) => volume.inspect().Leases.some(({ ReadOnly, Consumer }) => ReadOnly && !Consumer.startsWith('sandbox')))
      .map(({ id }) => join(stateDir, 'vol/volumes/read-only', id))
    const found = mountsBelow()
    expect(found.filter((target) => target.endsWith('/_data')).sort()).toEqual(leased.sort())
    expect(found.filter((target) => !target.endsWith('/_data')).every((target) => views.includes(target))).toBe(true)
    // No half volume: folder and record belong together, and what was begun with data has all of it.
    const folders = join(stateDir, 'vol/volumes/local')
    expect(existsSync(folders) ? readdirSync(folders).sort() : []).toEqual(volumes.map(({ name }) => name).sort())
    for (const volume of volumes.filter(({ name }) => name.startsWith('imported-'))) expect(readdirSync(volume.path!)).toHaveLength(20)
    // No lost data.
    for (const [name, content] of kept) {
      const path = controller.volumes.get(name).path!
      if (name.startsWith('kept-')) expect(readFileSync(join(path, 'file'), 'utf8')).toBe(content)
    }
    for (const name of gone) expect(controller.volumes.find(name)).toBeUndefined()
    // What is left can be used and deleted as if nothing had happened.
    for (const sandbox of controller.sandboxes.list()) await sandbox.delete()
    for (const volume of volumes) {
      for (const consumer of volume.users) await volume.unmount(consumer, { all: true })
      if (volume.accessMode === 'single-writer') await volume.mount('next').then(() => volume.unmount('next'))
      if (!kept.has(volume.name) || kept.size > 300) {
        await volume.delete()
        kept.delete(volume.name)
      }
    }
    await controller.close()
    expect(warnings).toEqual([])
    expect(mountsBelow()).toEqual([])
    const targets = join(stateDir, 'targets')
    expect(existsSync(targets) ? readdirSync(targets) : []).toEqual([])
    const points = '/run/libcnm/mount-points'
    expect(existsSync(points) ? readdirSync(points) : []).toEqual([])
  }

  it(
    `${KILLS} times: no half volume, no mount without lease, no lost data, no lost lease`,
    async () => {
      for (let life = 0; life < KILLS; life++) await examine(await killAfter(life, 1 + Math.floor(Math.random() * 25)))
      expect(kept.size).toBeGreaterThan(0)
      expect(await leftBehind(before)).toEqual([])
    },
    60_000 + KILLS * 20_000,
  )
})
