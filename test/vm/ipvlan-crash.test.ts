import { describe } from 'vitest'
import { killsOnLan } from '../kernel/crash/lan-kill-loop.js'

describe('a program with ipvlan networks that is killed at any instant', () =>
  killsOnLan('ipvlan-workload.mjs', { instance: 'icrash', rounds: Number(process.env.LIBCNM_CRASH_ROUNDS ?? 2) }))
