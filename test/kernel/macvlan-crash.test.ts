import { describe } from 'vitest'
import { needs, needsPrivileges } from '../tools.js'
import { killsOnLan } from './crash/lan-kill-loop.js'

describe.skipIf(needsPrivileges() ?? needs('ip', 'nft'))('a program with macvlan networks that is killed at any instant', () =>
  killsOnLan('macvlan-workload.mjs', { instance: 'mcrash', rounds: Number(process.env.LIBCNM_CRASH_ROUNDS ?? 5) }),
)
