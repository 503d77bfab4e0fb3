import { once } from 'node:events'
import { createServer, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { Connection } from '../../src/store/etcd/connection.js'

/** A server that answers calls as it is told, one after the other. */
let answers: { status: number; message?: string }[]
let [sessions, calls] = [0, 0]
let connection: Connection
let stop: () => Promise<void>

beforeEach(async () => {
  ;[sessions, calls] = [0, 0]
  const server = createServer()
  const open = new Set<{ destroy(): void }>()
  server.on('session', (session) => {
    sessions++
    open.add(session)
  })
  server.on('stream', (stream: ServerHttp2Stream) => {
    const { status, message = '' } = answers[Math.min(calls++, answers.length - 1)]!
    const trailers = { 'grpc-status': String(status), 'grpc-message': encodeURIComponent(message) }
    stream.on('wantTrailers', () => stream.sendTrailers(trailers))
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
    stream.end(status === 0 ? Buffer.from([0, 0, 0, 0, 1, 7]) : undefined)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  connection = new Connection({ endpoints: [`http://127.0.0.1:${port}`], tls: undefined, prefix: '/', timeout: 2000 })
  stop = async () => {
    connection.close()
    for (const session of open) session.destroy()
    await new Promise((resolve) => server.close(resolve))
  }
})
afterEach(() => stop())

const ask = (): Promise<Uint8Array> => connection.ask('/etcdserverpb.KV/Txn', new Uint8Array(), false)

it('asks a server that has too much to do again, since nothing came of the request', async () => {
  const busy = { status: 8, message: 'etcdserver: too many requests' }
  answers = [busy, busy, { status: 0 }]
  expect([...(await ask())]).toEqual([7])
  expect({ sessions, calls }).toEqual({ sessions: 1, calls: 3 })
})

it('stays with a server that is late, and does not repeat what may have been done', async () => {
  answers = [{ status: 14, message: 'etcdserver: request timed out' }, { status: 0 }]
  await expect(ask()).rejects.toMatchObject({ code: 'ERR_CNM_CLUSTER_UNREACHABLE' })
  await ask()
  expect({ sessions, calls }).toEqual({ sessions: 1, calls: 2 })
})

it('leaves a server without a leader', async () => {
  answers = [{ status: 14, message: 'etcdserver: no leader' }, { status: 0 }]
  await expect(ask()).rejects.toMatchObject({ code: 'ERR_CNM_CLUSTER_UNREACHABLE' })
  await ask()
  expect({ sessions, calls }).toEqual({ sessions: 2, calls: 2 })
})

it('fails with what a server refuses for another reason', async () => {
  answers = [{ status: 3, message: 'etcdserver: duplicate key given in txn request' }]
  await expect(ask()).rejects.toMatchObject({ code: 'ERR_CNM_STORE' })
  expect(calls).toBe(1)
})
