import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { VolumeMountOptions } from 'libcnm'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { leftBehind, takeCensus, type Census } from '../census.js'
import { TestCluster } from '../hosts/cluster.js'
import type { Host } from '../hosts/host.js'
import { needs, needsRealRoot } from '../tools.js'

const volumeDriver = fileURLToPath(new URL('../hosts/shared-folder.mjs', import.meta.url))
const PATIENCE = { timeout: 60_000, interval: 100 }

describe.skipIf(needsRealRoot() ?? needs('ip', 'etcd', 'etcdctl', 'nsenter'))('a single-writer volume that several hosts reach', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cnm-shared-'))
  const volume = { name: 'data', driver: 'shared-folder', options: { folder }, accessMode: 'single-writer' as const }
  let before: Census
  let cluster: TestCluster
  let [a, b]: [Host, Host] = [undefined!, undefined!]

  const open = (host: Host): Promise<void> => cluster.start(host, { volumeDriver, options: { stateDir: join(folder, host.name) } })
  const mount = (host: Host, consumer: string, options: VolumeMountOptions = {}): Promise<string> =>
    host.run(async ({ controller }, made, who, how) => (await controller.volumes.create(made)).mount(who, how), volume, consumer, options)
  const unmount = (host: Host, consumer: string): Promise<void> =>
    host.run(({ controller }, who) => controller.volumes.get('data').unmount(who, { all: true }), consumer)
  const writes = (host: Host, path: string): Promise<boolean> =>
    host.run(
      ({ shell }, file) =>
        shell('sh', '-c', `echo x >> ${file}`).then(
          () => true,
          () => false,
        ),
      join(path, 'file'),
    )
  const stateOf = (host: Host, name: string): Promise<string | undefined> =>
    host.run(({ controller }, node) => controller.nodes.find((each) => each.name === node)?.state ?? 'unknown', name)
  const reasons = (host: Host): Promise<string[]> => host.run(async ({ controller }) => (await controller.status()).reasons)
  const leases = async (): Promise<string> =>
    cluster.etcdctl('get', '--prefix', '', '--keys-only').then((text) => text.match(/volume-writer\S*/g)?.join() ?? '')

  beforeAll(async () => {
    before = await takeCensus()
    cluster = await TestCluster.make({ hosts: 2 })
    ;[a, b] = cluster.hosts as [Host, Host]
    for (const host of [a, b]) {
      await host.close()
      await open(host)
    }
  })
  afterEach(async () => {
    for (const host of [a, b])
      await host.run(async ({ controller }) => {
        for (const each of controller.volumes.list())
          for (const { Consumer } of each.inspect().Leases) await each.unmount(Consumer, { all: true })
      })
  })
  afterAll(async () => {
    await cluster?.[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true })
    expect(await leftBehind(before)).toEqual([])
  })

  it('is written by one of them at a time; the other is refused, or reads', async () => {
    const path = await mount(a, 'job')
    expect(await writes(a, path)).toBe(true)
    await expect(mount(b, 'job')).rejects.toMatchObject({
      code: 'ERR_CNM_VOLUME_IN_USE',
      message: expect.stringMatching(/job on host1 \(instance cnm\) has been writing since/),
    })
    const view = await mount(b, 'reader', { readOnly: 'when-busy' })
    expect(await writes(b, view)).toBe(false)
    expect(readFileSync(join(path, 'file'), 'utf8')).toBe('x\n')
    await unmount(b, 'reader')
    await unmount(a, 'job')
    expect(await leases()).toBe('')
    expect(await writes(b, await mount(b, 'job'))).toBe(true)
    await expect(mount(a, 'other')).rejects.toMatchObject({ message: expect.stringContaining('job on host2') })
  })

  it('is not taken from a host whose controller was killed and comes back', async () => {
    await mount(a, 'job')
    await a.kill()
    await open(a)
    await expect(mount(b, 'job')).rejects.toMatchObject({ code: 'ERR_CNM_VOLUME_IN_USE' })
    await unmount(a, 'job')
    await mount(b, 'job')
  })

  it('can be taken from a host that is down, which then does not write any more', async () => {
    await mount(a, 'job')
    await expect(mount(b, 'job', { takeOver: 'when-down' })).rejects.toMatchObject({ code: 'ERR_CNM_VOLUME_IN_USE' })
    await a.kill()
    await expect.poll(() => stateOf(b, 'host1'), PATIENCE).toBe('down')
    await expect(mount(b, 'job')).rejects.toMatchObject({ message: expect.stringMatching(/is down.*takeOver/) })
    await mount(b, 'job', { takeOver: 'when-down' })
    await open(a)
    await expect
      .poll(() => reasons(a), PATIENCE)
      .toContainEqual(expect.stringMatching(/job had the write lease, which job on host2 has now/))
    for (const readOnly of [false, true])
      await expect(mount(a, 'other', { readOnly })).rejects.toMatchObject({ code: 'ERR_CNM_VOLUME_IN_USE' })
    await unmount(a, 'job')
    await mount(a, 'other', { readOnly: true })
    expect(await leases()).toMatch(/data$/)
    expect(await reasons(a)).toEqual([])
  })

  it('is free when its host is forgotten', async () => {
    await mount(a, 'job')
    await a.kill()
    await expect.poll(() => stateOf(b, 'host1'), PATIENCE).toBe('down')
    await b.run(({ controller }) => controller.forgetNode('host1'))
    expect(await leases()).toBe('')
    await mount(b, 'job')
    await open(a)
    await expect.poll(() => reasons(a), PATIENCE).not.toEqual([])
  })

  it('is not begun to be written while the cluster cannot be asked', async () => {
    await mount(a, 'job')
    await cluster.cutFromEtcd(b)
    try {
      await expect(mount(b, 'job')).rejects.toMatchObject({ code: 'ERR_CNM_CLUSTER_UNREACHABLE' })
    } finally {
      await cluster.healToEtcd(b)
    }
  })
})
