import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { leftBehind, takeCensus } from '../census.js'
import { needs, needsPrivileges } from '../tools.js'

const KILLS = 10

/** Runs the demo; kills it when it has printed so many lines. @returns what it printed, and its exit code */
async function demo(stateDir: string, killAfterLines = Infinity): Promise<{ output: string; code: number | null }> {
  const child = spawn(process.execPath, ['--import', 'tsx', 'examples/demo.ts'], {
    env: { ...process.env, LIBCNM_DEMO_STATE: stateDir },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
    if (output.split('\n').length > killAfterLines) child.kill('SIGKILL')
  })
  const [code] = (await once(child, 'close')) as [number | null]
  return { output, code }
}

describe.skipIf(needsPrivileges() ?? needs('ip'))('the demo', () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'cnm-demo-'))
  afterAll(() => rmSync(stateDir, { recursive: true, force: true }))

  it('shows who reaches whom and leaves nothing behind', async () => {
    await demo(stateDir)
    const before = await takeCensus()
    const { output, code } = await demo(stateDir)
    expect(code).toBe(0)
    expect(output).toMatch(/client -> http:\/\/web\/\s+200 hello from web/)
    expect(output).toMatch(/db\s+-> http:\/\/web\/\s+sandbox db: no address for web/)
    expect(output).toMatch(/db\s+-> http:\/\/172\.\S+\s+connect ENETUNREACH/)
    expect(await leftBehind(before)).toEqual([])
  }, 60_000)

  it(`killed ${KILLS} times in the middle, the next run cleans up what was left`, async () => {
    const before = await takeCensus()
    const lines = (await demo(stateDir)).output.split('\n').length
    for (let kill = 0; kill < KILLS; kill++) await demo(stateDir, 2 + Math.floor(((kill + Math.random()) / KILLS) * (lines - 3)))
    const { code } = await demo(stateDir)
    expect(code).toBe(0)
    expect(await leftBehind(before)).toEqual([])
  }, 180_000)
})
