import { workerData } from 'node:worker_threads'
import type { LoopThreadData } from '../../src/kernel/index.js'
import { runPackets } from './serve/run.js'

runPackets(workerData as LoopThreadData)
