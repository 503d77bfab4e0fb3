import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Controller } from 'libcnm'
import { expect } from 'vitest'
import { leftBehind, type Census } from '../../census.js'
import { until } from '../until.js'
import { keyOf, type Thing, type Workload } from './workload.mjs'
import { strangers } from './strangers.js'

export interface KillLoop {
  /** Path of the module with the workload. */
  workload: string
  stateDir: string
  instance: string
  rounds: number
  /** Printed when something is wrong: the same seed asks for the same operations. */
  seed: number
  before: Census
}

export interface KillReport {
  rounds: number
  /** Operations that were acknowledged, and that were under way when the process was killed. */
  acknowledged: number
  interrupted: number
  /** What the operations were that were interrupted. */
  kinds: Record<string, number>
  /** Milliseconds that the openings after a crash took, at most. */
  slowestOpen: number
}

interface Line {
  number?: number
  what?: string
  things?: Thing[]
  leaves?: 'present' | 'absent'
  done?: unknown[]
  failed?: string
  refused?: true
}

const PROGRAM = fileURLToPath(new URL('program.mjs', import.meta.url))
/** One in five is killed while it opens, the others after so many lines of the log at most. */
const WHILE_OPENING = 0.2
/** For a program that does not come to work. */
const PATIENCE_MS = process.env.VM_RUN === '1' ? 600_000 : 60_000
const LONGEST_OPENING_MS = 400
const MOST_LINES = 150
const LONGEST_MS = 20
/** So often everything is deleted, and nothing may be left. */
const CLEAN_EVERY = 5

/**
 * Kills a working program at a random instant, again and again. Each time a new controller must find everything that was
 * acknowledged, as it was; nothing in the kernel that is in no record; and be able to do again what was interrupted.
 */
export async function killLoop(loop: KillLoop): Promise<KillReport> {
  const { default: workload } = (await import(loop.workload)) as { default: Workload }
  const report: KillReport = { rounds: 0, acknowledged: 0, interrupted: 0, kinds: {}, slowestOpen: 0 }
  const known = new Map<string, unknown>()
  for (; report.rounds < loop.rounds; report.rounds++) {
    const where = `seed ${loop.seed}, round ${report.rounds}`
    const lines = await workAndDie(loop, report.rounds)
    const uncertain = learn(known, lines, report, where)
    const begun = performance.now()
    const controller = await Controller.open({ stateDir: loop.stateDir, instance: loop.instance, ...workload.options?.() })
    report.slowestOpen = Math.max(report.slowestOpen, performance.now() - begun)
    try {
      expect(await controller.check(), where).toEqual([])
      expect(await strangers(controller, loop.instance), where).toEqual([])
      expect(found(controller, workload, uncertain), where).toEqual(Object.fromEntries(known))
      for (const operation of uncertain.operations) await workload.repeat(controller, operation)
      expect(await controller.check(), `${where}, again`).toEqual([])
      if (report.rounds % CLEAN_EVERY === CLEAN_EVERY - 1 || report.rounds === loop.rounds - 1) {
        await workload.clean?.(controller)
        await clean(controller)
        known.clear()
      } else remember(controller, workload, known, uncertain.operations)
    } finally {
      await controller.close()
    }
    if (report.rounds % 50 === 49) console.log(JSON.stringify(report))
    if (known.size === 0) expect(await leftBehind(loop.before), where).toEqual([])
  }
  return report
}

async function workAndDie({ workload, stateDir, instance, seed }: KillLoop, round: number): Promise<Line[]> {
  const log = join(stateDir, 'operations')
  rmSync(log, { force: true })
  const args = [PROGRAM, workload, stateDir, instance, log, String(seed + round), String(round * 1000)]
  const program = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let errors = ''
  program.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()))
  const ended = once(program, 'close')
  const opening = Math.random() < WHILE_OPENING
  const enough = opening ? 1 : 2 + Math.random() * MOST_LINES
  await until(() => linesOf(log).length >= enough || program.exitCode !== null, PATIENCE_MS)
  await sleep(Math.random() * (opening ? LONGEST_OPENING_MS : LONGEST_MS))
  program.kill('SIGKILL')
  await ended
  expect(program.exitCode, errors).toBe(null)
  return linesOf(log).map((line) => JSON.parse(line) as Line)
}

const linesOf = (path: string): string[] => (existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1) : [])

interface Uncertain {
  things: Set<string>
  operations: { what: string; things: Thing[] }[]
}

/** What the program said before it died. Nothing may have failed. */
function learn(known: Map<string, unknown>, lines: readonly Line[], report: KillReport, where: string): Uncertain {
  const open = new Map<number, Line>()
  for (const line of lines) {
    if (line.number === undefined) continue
    expect(line.failed, where).toBe(undefined)
    if (line.refused === true) {
      open.delete(line.number)
      continue
    }
    if (line.done === undefined) {
      open.set(line.number, line)
      continue
    }
    const { things, leaves } = open.get(line.number)!
    open.delete(line.number)
    report.acknowledged++
    things!.forEach((thing, index) => (leaves === 'present' ? known.set(keyOf(thing), line.done![index]) : known.delete(keyOf(thing))))
  }
  const operations = [...open.values()].map(({ what, things }) => ({ what: what!, things: things! }))
  const things = new Set(operations.flatMap((operation) => operation.things.map(keyOf)))
  for (const thing of things) known.delete(thing)
  report.interrupted += operations.length
  for (const { what } of operations) report.kinds[what] = (report.kinds[what] ?? 0) + 1
  return { things, operations }
}

/** What there is, without that which may or may not be. */
function found(controller: Controller, workload: Workload, { things }: Uncertain): Record<string, unknown> {
  const all = everything(controller, workload).filter((thing) => !things.has(keyOf(thing)))
  return Object.fromEntries(all.map((thing) => [keyOf(thing), JSON.parse(JSON.stringify(workload.facts?.(controller, thing) ?? null))]))
}

function remember(controller: Controller, workload: Workload, known: Map<string, unknown>, operations: Uncertain['operations']): void {
  const touched = new Set(operations.flatMap(({ things }) => things.map(keyOf)))
  for (const thing of everything(controller, workload))
    if (touched.has(keyOf(thing))) known.set(keyOf(thing), JSON.parse(JSON.stringify(workload.facts?.(controller, thing) ?? null)))
}

function everything(controller: Controller, workload: Workload): Thing[] {
  const networks = controller.networks.list()
  return [
    ...(workload.others?.(controller) ?? []),
    ...networks.map(({ name }): Thing => ({ kind: 'network', name })),
    ...controller.sandboxes.list().map(({ name }): Thing => ({ kind: 'sandbox', name })),
    ...networks.flatMap((network) => network.endpoints.map(({ name }): Thing => ({ kind: 'endpoint', name: `${network.name}/${name}` }))),
  ]
}

async function clean(controller: Controller): Promise<void> {
  await Promise.all(controller.sandboxes.list().map((sandbox) => sandbox.delete()))
  for (const network of controller.networks.list()) {
    for (const endpoint of network.endpoints) await endpoint.delete({ force: true })
    await network.delete()
  }
  expect(await controller.check()).toEqual([])
}
