import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { leftBehind, takeCensus, type Census } from '../census.js'
import { needs, needsPrivileges } from '../tools.js'
import { makeLan, removeLan } from './lan.js'

const run = (example: string, env: Record<string, string>): string =>
  execFileSync(process.execPath, ['--import', 'tsx', `examples/${example}.ts`], { encoding: 'utf8', env: { ...process.env, ...env } })

describe.skipIf(needsPrivileges() ?? needs('ip', 'ping'))('examples run as they stand', () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'cnm-examples-'))
  let before: Census
  beforeAll(async () => {
    run('quickstart', { STATE_DIR: stateDir })
    before = await takeCensus()
  }, 60_000)
  afterAll(async () => {
    expect(await leftBehind(before)).toEqual([])
    rmSync(stateDir, { recursive: true, force: true })
  })

  it('quickstart', () => {
    const output = run('quickstart', { STATE_DIR: stateDir })
    expect(output).toContain('web has 10.10.0.128/24 on eth0')
    expect(output).toContain('db fetches http://www/: hello from web')
    expect(output).toContain('ping ended with 0')
  }, 60_000)

  it('volumes', () => {
    const output = run('volumes', { STATE_DIR: stateDir })
    expect(output).toContain('written by the first')
    expect(output).toMatch(/[Rr]ead-only file system/)
    expect(output).toContain('in use by sandbox second')
    expect(output).toMatch(/copied to backup \d+ bytes/)
    expect(output).toContain('deleted data, backup')
  }, 60_000)

  it('api, with a namespace that somebody else made', async () => {
    const container = spawn('unshare', ['--net', 'sh', '-c', 'echo made && exec sleep 60'], { stdio: ['ignore', 'pipe', 'inherit'] })
    try {
      await once(container.stdout, 'data')
      const output = run('api', { STATE_DIR: stateDir, CONTAINER_NETNS: `/proc/${container.pid}/ns/net` })
      expect(output).toContain("[ '10.10.0.128/24' ]")
      expect(output).toContain('ping www: 0')
      expect(output).toContain('fetch http://web/: hello from web')
      expect(output).toContain('fetch the published port: hello from web')
      expect(output).toContain('runc-c1 joined runc-c1')
      expect(output).toContain('0 0 healthy')
      expect(output.trim().endsWith('done')).toBe(true)
    } finally {
      container.kill('SIGKILL')
    }
  }, 60_000)

  it('lan, on the device of another machine’s network', () => {
    makeLan()
    try {
      const output = run('lan', {
        STATE_DIR: stateDir,
        PARENT: 'up0',
        SUBNET: '10.77.0.0/24',
        RANGE: '10.77.0.192/27',
        HOST: '10.77.0.223',
      })
      expect(output).toContain('camera is 10.77.0.192/24')
      expect(output).toContain('printer pings camera: 0')
      expect(output).toContain('camera pings the host: 0')
      expect(output).not.toContain('note:')
    } finally {
      removeLan()
    }
  }, 60_000)
})
