// @ts-check
/** Opens a controller and works until it is killed: program.mjs <workload> <stateDir> <instance> <log> <seed> <first number> */
import { openSync, writeSync } from 'node:fs'
import { Controller } from 'libcnm'
import { work } from './workload.mjs'

const [module, stateDir, instance, path, seed, first] = /** @type {[string, string, string, string, string, string]} */ (
  process.argv.slice(2)
)
const log = openSync(path, 'a')
const workload = (await import(module)).default
writeSync(log, '{"opening":true}\n')
const controller = await Controller.open({ stateDir, instance, ...workload.options?.() })
writeSync(log, '{"open":true}\n')
await work(controller, workload, { log, seed: Number(seed), workers: 8, first: Number(first) })
