import { workerData } from 'node:worker_threads'
import { runResolver } from './serve/run.js'
import type { DnsThreadData } from './messages.js'

runResolver(workerData as DnsThreadData)
