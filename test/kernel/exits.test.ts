import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { needsPrivileges } from '../tools.js'

const COUNT = 200
const AT_ONCE = 4
const program = fileURLToPath(new URL('exit-program.mjs', import.meta.url))
const ownWorld = fileURLToPath(new URL('../own-world.cjs', import.meta.url))

/** How each way of ending must look from outside. */
const EXPECTED: Record<string, { code: number | null; signal: string | null }> = {
  exit: { code: 7, signal: null },
  throw: { code: 1, signal: null },
  reject: { code: 1, signal: null },
  signal: { code: null, signal: 'SIGTERM' },
  end: { code: 0, signal: null },
  close: { code: 0, signal: null },
}

interface Ending {
  way: string
  delay: number
  seed: number
  code: number | null
  signal: string | null
  errors: string
}

/** Each in a world of its own, so that what it leaves behind goes with it. */
function run(way: string, delay: number, seed: number): Promise<Ending> {
  const { LIBCNM_TEST_WORLD: _outer, ...env } = process.env
  const child = spawn(process.execPath, ['--require', ownWorld, program, way, String(delay), String(seed)], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let errors = ''
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()))
  return new Promise((resolve) => child.on('close', (code, signal) => resolve({ way, delay, seed, code, signal, errors })))
}

describe.skipIf(needsPrivileges())('the end of the process, at any moment of the kernel thread', () => {
  it(`is never a native crash, nor does it wait for ever: ${COUNT} random ends`, { timeout: 300_000 }, async () => {
    const ways = Object.keys(EXPECTED)
    const runs = Array.from({ length: COUNT }, (_, i) => ({
      way: ways[i % ways.length]!,
      delay: Math.floor(Math.random() * 150),
      seed: 1 + Math.floor(Math.random() * 1e9),
    }))
    const endings: Ending[] = []
    const worker = async (): Promise<void> => {
      for (let next = runs.pop(); next !== undefined; next = runs.pop()) endings.push(await run(next.way, next.delay, next.seed))
    }
    await Promise.all(Array.from({ length: AT_ONCE }, worker))
    const wrong = endings.filter(({ way, code, signal }) => code !== EXPECTED[way]!.code || signal !== EXPECTED[way]!.signal)
    expect(wrong).toEqual([])
    expect(endings).toHaveLength(COUNT)
  })
})
