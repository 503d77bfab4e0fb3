import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { lmdb } from '../../src/store/lmdb.js'

const KILLS = 30
const AT_ONCE = 5

let root: string
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'store-crash-'))
})
afterEach(() => rm(root, { recursive: true }))

const start = (directory: string, what: string, ...more: string[]): ChildProcess =>
  spawn(process.execPath, [join(import.meta.dirname, 'store-process.mjs'), directory, what, ...more], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })

/** Exit code or signal, and what the process wrote. */
async function ended(child: ChildProcess): Promise<{ end: number | string; output: string; errors: string }> {
  let [output, errors] = ['', '']
  child.stdout!.on('data', (text) => (output += String(text)))
  child.stderr!.on('data', (text) => (errors += String(text)))
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  return { end: signal ?? code!, output, errors }
}

it(`a process killed ${KILLS} times while it commits loses nothing that was acknowledged`, { timeout: 180_000 }, async () => {
  let acknowledged = 0
  const lives = async (directory: string): Promise<void> => {
    for (let life = 0; life < KILLS / AT_ONCE; life++) {
      const count = await killOnce(directory)
      acknowledged += count
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, (_, index) => lives(join(root, String(index)))))
  expect(acknowledged).toBeGreaterThan(KILLS * 10)
})

async function killOnce(directory: string): Promise<number> {
  const child = start(directory, 'write')
  const end = ended(child)
  const enough = 3 + Math.floor(Math.random() * 60)
  let seen = 0
  await Promise.race([
    new Promise<void>((resolve) =>
      child.stdout!.on('data', (text) => (seen += String(text).split('\n').length - 1) >= enough && resolve()),
    ),
    end,
  ])
  await sleep(Math.random() * 5)
  child.kill('SIGKILL')
  const { end: how, output, errors } = await end
  expect(how, errors).toBe('SIGKILL')
  const numbers = output.split('\n').slice(0, -1).map(Number)
  const store = await lmdb({ directory })
  const last = (await store.get('last'))?.value as number
  for (const number of numbers.slice(-30)) expect((await store.get(`left/${number}`))?.value, `commit ${number} of ${last}`).toBe(number)
  for (const number of numbers) expect(((await store.get(`right/${number}`))?.value as string).length).toBe(number % 3000)
  expect(last).toBeGreaterThanOrEqual(numbers.at(-1)!)
  // All or nothing, also of what was not acknowledged.
  const right = await store.list('right/')
  const left = new Map((await store.list('left/')).map(({ key, version }) => [key.slice(5), version]))
  for (const { key, version } of right) {
    const number = Number(key.slice(6))
    expect(left.get(String(number)), key).toBe(number > last - 38 ? version : left.get(String(number)))
  }
  await store.close()
  return numbers.length
}

it('ending a process with commits under way neither crashes nor hangs', { timeout: 120_000 }, async () => {
  for (const milliseconds of ['0', '1', '3', '10', '50']) {
    const { end, errors } = await ended(start(root, 'exit', milliseconds))
    expect([end, errors]).toEqual([7, ''])
    const store = await lmdb({ directory: root })
    for (const { key, value } of await store.list('k/')) expect((value as string).length).toBe(Number(key.slice(2)) * 100)
    await store.close()
  }
})

it('processes that take keys from one store by compare-and-set never take one twice, nor lose one', { timeout: 120_000 }, async () => {
  const all = await Promise.all(Array.from({ length: 4 }, () => ended(start(root, 'claim', '40'))))
  expect(all.map(({ end, errors }) => [end, errors])).toEqual(all.map(() => [0, '']))
  const store = await lmdb({ directory: root })
  const claims = await store.list('claim/')
  expect(claims.length).toBe(4 * 4 * 40)
  expect(new Set(claims.map(({ value }) => value)).size).toBe(claims.length)
  expect(new Set(claims.map(({ version }) => version)).size).toBe(claims.length)
  await store.close()
})

it(
  'a worker thread that ends with a store open, and commits under way, leaves the process and the store whole',
  { timeout: 60_000 },
  async () => {
    const store = await lmdb({ directory: root })
    for (let round = 0; round < 3; round++) {
      const worker = new Worker(
        `import('tsx/esm/api').then(({ tsImport }) => tsImport(${JSON.stringify(join(import.meta.dirname, '../../src/store/lmdb.ts'))}, ${JSON.stringify(import.meta.url)}))
        .then(async ({ lmdb }) => {
          const store = await lmdb({ directory: ${JSON.stringify(root)} })
          await store.commit([{ put: 'from/worker', value: ${round} }])
          for (let n = 0; n < 50; n++) void store.commit([{ put: 'from/' + n, value: n }])
          require('node:worker_threads').parentPort.postMessage('busy')
        })`,
        { eval: true },
      )
      await once(worker, 'message')
      if (round % 2 === 0) await worker.terminate()
      else {
        worker.unref()
        await sleep(200)
        await worker.terminate()
      }
      await store.commit([{ put: 'from/main', value: round }])
      expect((await store.get('from/worker'))?.value).toBe(round)
    }
    await store.close()
  },
)
