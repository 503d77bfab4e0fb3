import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Controller } from 'libcnm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { leftBehind, takeCensus } from '../census.js'
import { findTool, needs, needsRealRoot } from '../tools.js'

const CONTAINER = 'cnm-test'

interface Spec {
  process: { args: string[]; terminal: boolean; env: string[]; capabilities: Record<string, string[]> }
  root: { path: string; readonly: boolean }
  mounts: { destination: string }[]
  linux: { namespaces: { type: string; path?: string }[]; resources?: unknown }
}

/** An OCI bundle around busybox, with a network namespace that the runtime makes. */
function makeBundle(): string {
  const bundle = mkdtempSync(join(tmpdir(), 'cnm-bundle-'))
  for (const folder of ['bin', 'proc', 'sys', 'dev', 'etc']) mkdirSync(join(bundle, 'rootfs', folder), { recursive: true })
  const busybox = findTool('busybox')!
  copyFileSync(busybox, join(bundle, 'rootfs/bin/busybox'))
  for (const library of librariesOf(busybox)) {
    mkdirSync(join(bundle, 'rootfs', dirname(library)), { recursive: true })
    copyFileSync(library, join(bundle, 'rootfs', library))
  }
  for (const name of ['sh', 'ping', 'sleep', 'ip']) symlinkSync('busybox', join(bundle, 'rootfs/bin', name))
  execFileSync('runc', ['spec'], { cwd: bundle })
  const spec = JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8')) as Spec
  spec.process = { ...spec.process, args: ['/bin/sleep', '300'], terminal: false }
  for (const set of Object.keys(spec.process.capabilities)) spec.process.capabilities[set] = ['CAP_NET_RAW', 'CAP_KILL']
  spec.mounts = spec.mounts.filter(({ destination }) => !['/sys', '/sys/fs/cgroup'].includes(destination))
  spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => type !== 'cgroup')
  delete spec.linux.resources
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(spec))
  return bundle
}

/** None where it is linked statically. */
const librariesOf = (program: string): string[] => spawnSync('ldd', [program], { encoding: 'utf8' }).stdout.match(/\/\S+/g) ?? []

const runc = (...args: string[]): string => execFileSync('runc', ['--root', '/run/runc', ...args], { encoding: 'utf8' })

describe.skipIf(needsRealRoot() ?? needs('ip', 'runc', 'busybox'))('a container of somebody else', () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'cnm-container-'))
  let controller: Controller
  let bundle: string
  beforeAll(async () => {
    controller = await Controller.open({ stateDir, instance: 'oci' })
    bundle = makeBundle()
  })
  afterAll(async () => {
    await controller.close()
    for (const folder of [stateDir, bundle]) rmSync(folder, { recursive: true, force: true })
  })

  it('joins by pid, pings a sandbox, and keeps its namespace when it leaves', async () => {
    const network = await controller.createNetwork({ name: 'n' })
    const other = await controller.createSandbox({ name: 'other' })
    const endpoint = await other.connect(network)
    await other.delete()
    const before = await takeCensus()
    const sandbox = await controller.createSandbox({ name: 'other' })
    const target = (await sandbox.connect(network)).addresses[0]!.split('/')[0]!
    const pidFile = join(bundle, 'pid')
    // Without a terminal of its own the container would keep our pipes open.
    execFileSync('runc', ['--root', '/run/runc', 'run', '--detach', '--pid-file', pidFile, '--bundle', bundle, CONTAINER], {
      stdio: 'ignore',
    })
    try {
      const container = await controller.createSandbox({ name: 'container', netns: { pid: Number(readFileSync(pidFile, 'utf8')) } })
      await container.connect(network)
      expect(runc('exec', CONTAINER, '/bin/ping', '-c1', '-W2', target)).toContain('1 packets received')
      await container.delete()
      expect(runc('exec', CONTAINER, '/bin/ip', '-o', 'link').trim().split('\n')).toHaveLength(1)
    } finally {
      execFileSync('runc', ['--root', '/run/runc', 'delete', '--force', CONTAINER])
    }
    await sandbox.delete()
    expect(await leftBehind(before)).toEqual([])
    expect(endpoint.sandbox).toBeUndefined()
    await network.delete()
  }, 60_000)
})
