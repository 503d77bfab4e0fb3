import { parentPort } from 'node:worker_threads'
import { serveProxy } from './serve.js'

serveProxy(parentPort!)
