import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hostAddress, TestCluster } from '../hosts/cluster.js'
import type { Host } from '../hosts/host.js'
import { needs, needsPrivileges } from '../tools.js'

describe.skipIf(needsPrivileges() ?? needs('etcd', 'etcdctl', 'ip', 'ping'))('example of an overlay', { timeout: 120_000 }, () => {
  let cluster: TestCluster
  beforeAll(async () => {
    cluster = await TestCluster.make({ hosts: 0 })
  }, 60_000)
  afterAll(() => cluster?.[Symbol.asyncDispose]())

  /** What the example prints on a host, as it comes and as a whole at its end. */
  function run(host: Host, number: number, role: string): { said(text: string): Promise<void>; output: Promise<string> } {
    // In another mount namespace the working directory is the root.
    const command = ['sh', '-c', 'cd "$0" && exec "$@"', process.cwd(), process.execPath, '--import', 'tsx', 'examples/overlay.ts', role]
    const env = { ...process.env, ETCD: cluster.etcd.endpoint, NODE: host.name, ADDRESS: hostAddress(number), STATE_DIR: '/run/example' }
    const child = spawn('nsenter', [...host.inside, ...command], { env, stdio: ['ignore', 'pipe', 'inherit'] })
    let printed = ''
    child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()))
    const output = once(child, 'close').then(([code]) => {
      if (code !== 0) throw new Error(`${role} ended with ${String(code)}: ${printed}`)
      return printed
    })
    output.catch(() => undefined)
    const said = async (text: string): Promise<void> => {
      while (!printed.includes(text)) await Promise.race([once(child.stdout, 'data'), output])
    }
    return { said, output }
  }

  it('runs as it stands on two hosts', async () => {
    const [one, two] = [await cluster.addBareHost(), await cluster.addBareHost()]
    const serving = run(one, 1, 'serve')
    await serving.said('waiting for the other host')
    const asked = await run(two, 2, 'ask').output
    const served = await serving.output
    expect(served).toMatch(/web on host1 has 10\.128\.0\.\d+\/24/)
    expect(asked).toContain('web says: hello from host1')
    expect(asked).toMatch(/on blue: web, on host1, 10\.128\.0\.\d+\/24/)
    expect(asked).toMatch(/on blue: client, on host2, 10\.128\.0\.\d+\/24/)
    expect(asked).toContain('web is one hop away: true')
    expect(served + asked).toContain('removed blue')
    expect(await cluster.records('endpoint/')).toEqual([])
    expect(await cluster.records('network/')).toEqual([])
  })
})
