import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { ClusterStore, StoreEntry, StoreEvent } from '../../src/contracts/store.js'
import { etcd } from '../../src/store/etcd.js'
import { startEtcd, type EtcdServer } from '../etcd.js'
import { tcpProxy } from '../tcp-proxy.js'
import { findTool, needs } from '../tools.js'

const run = promisify(execFile)
const until = { timeout: 15_000, interval: 20 }

/** What a watcher believes to be there: everything that it was told, applied to what it read at the start. */
async function follow(
  store: ClusterStore,
  prefix: string,
  signal: AbortSignal,
): Promise<{ state: Map<string, unknown>; events: StoreEvent[] }> {
  const state = new Map<string, unknown>()
  const events: StoreEvent[] = []
  const watch = store.watch(prefix, signal)
  for (const { key, value } of await store.list(prefix)) state.set(key, value)
  void (async () => {
    for await (const event of watch) {
      events.push(event)
      for (const key of event.deleted) state.delete(key)
      for (const { key, value } of event.put) state.set(key, value)
    }
  })()
  return { state, events }
}

const asMap = (entries: readonly StoreEntry[]): Map<string, unknown> => new Map(entries.map(({ key, value }) => [key, value]))
const sorted = (state: ReadonlyMap<string, unknown>): [string, unknown][] => [...state].sort(([a], [b]) => (a < b ? -1 : 1))

describe.skipIf(needs('etcd', 'etcdctl'))('etcd: faults', () => {
  let server: EtcdServer
  beforeAll(async () => {
    server = await startEtcd()
  })
  afterAll(() => server[Symbol.asyncDispose]())
  let number = 0
  const open = (endpoint = server.endpoint): ClusterStore => etcd({ endpoints: [endpoint], prefix: `/faults/${number}/`, timeout: 2000 })
  const compact = async (): Promise<void> => {
    const { stdout } = await run('etcdctl', ['--endpoints', server.endpoint, 'endpoint', 'status', '-w', 'json'], {
      env: { ...process.env, ETCDCTL_API: '3' },
    })
    const revision = (JSON.parse(stdout) as { Status: { header: { revision: number } } }[])[0]!.Status.header.revision
    await run('etcdctl', ['--endpoints', server.endpoint, 'compact', String(revision)], { env: { ...process.env, ETCDCTL_API: '3' } })
  }

  /** Two stores with the same records; `far` is reached through a connection that can be cut. */
  const nearAndFar = async () => {
    number++
    const proxy = await tcpProxy({ host: '127.0.0.1', port: Number(new URL(server.endpoint).port) })
    const [near, far] = [open(), open(`http://127.0.0.1:${proxy.port}`)]
    const close = async (): Promise<void> => {
      await Promise.all([near.close(), far.close()])
      await proxy[Symbol.asyncDispose]()
    }
    return { proxy, near, far, [Symbol.asyncDispose]: close }
  }

  it.each(['without', 'with'])('a watch that was cut off ends equal to the store, %s compaction meanwhile', async (compaction) => {
    await using both = await nearAndFar()
    const { proxy, near, far } = both
    const ending = new AbortController()
    await near.commit([
      { put: 'w/old', value: 1 },
      { put: 'w/gone', value: 1 },
      { put: 'w/changed', value: 1 },
    ])
    const { state, events } = await follow(far, 'w/', ending.signal)
    const contact: boolean[] = []
    far.onContact((inTouch) => contact.push(inTouch))
    await near.commit([{ put: 'w/seen', value: 1 }])
    await vi.waitFor(() => expect(state.get('w/seen')).toBe(1), until)
    proxy.cut()
    await vi.waitFor(() => expect(contact.at(-1)).toBe(false), until)
    await expect(far.get('w/old')).rejects.toMatchObject({ code: 'ERR_CNM_CLUSTER_UNREACHABLE' })
    await expect(far.commit([{ put: 'w/x', value: 1 }])).rejects.toMatchObject({ code: 'ERR_CNM_CLUSTER_UNREACHABLE' })
    await near.commit([{ delete: 'w/gone' }, { put: 'w/changed', value: 2 }])
    await near.commit([{ put: 'w/new', value: 1 }, { delete: 'w/seen' }])
    await near.commit([{ put: 'w/brief', value: 1 }])
    await near.commit([{ delete: 'w/brief' }])
    const before = events.length
    if (compaction === 'with') await compact()
    proxy.heal()
    await vi.waitFor(async () => expect(sorted(state)).toEqual(sorted(asMap(await near.list('w/')))), until)
    // With its history the store tells commit by commit; without, the difference in one.
    expect(events.length - before).toBe(compaction === 'with' ? 1 : 4)
    await near.commit([{ put: 'w/after', value: 1 }])
    await vi.waitFor(() => expect(state.get('w/after')).toBe(1), until)
    expect(contact.at(-1)).toBe(true)
    ending.abort()
  })

  it('a prefix that is followed is told whole first, and then as it changes, also after compaction', async () => {
    await using both = await nearAndFar()
    const { proxy, near, far } = both
    const ending = new AbortController()
    await near.commit([
      { put: 'f/a', value: 1 },
      { put: 'f/b', value: 1 },
      { put: 'other', value: 1 },
    ])
    const told: unknown[] = []
    const following = (async () => {
      for await (const { put, deleted } of far.follow('f/', ending.signal)) told.push([put.map(({ key, value }) => [key, value]), deleted])
    })()
    await vi.waitFor(
      () =>
        expect(told).toEqual([
          [
            [
              ['f/a', 1],
              ['f/b', 1],
            ],
            [],
          ],
        ]),
      until,
    )
    await near.commit([{ put: 'f/c', value: 1 }])
    await vi.waitFor(() => expect(told[1]).toEqual([[['f/c', 1]], []]), until)
    proxy.cut()
    await near.commit([{ delete: 'f/a' }, { put: 'f/b', value: 2 }])
    await compact()
    proxy.heal()
    await vi.waitFor(() => expect(told[2]).toEqual([[['f/b', 2]], ['f/a']]), until)
    ending.abort()
    await following
    const empty = far.follow('nothing/', AbortSignal.timeout(10_000))[Symbol.asyncIterator]()
    expect((await empty.next()).value).toMatchObject({ put: [], deleted: [] })
    await empty.return?.()
  })

  it('goes on after etcd was killed and started again', async () => {
    number++
    const store = open()
    const ending = new AbortController()
    const { state } = await follow(store, '', ending.signal)
    const held = await store.hold('alive/a', { id: 1 }, { seconds: 2 })
    await vi.waitFor(() => expect(state.get('alive/a')).toEqual({ id: 1 }), until)
    await server.kill()
    await expect(store.get('x')).rejects.toMatchObject({ code: 'ERR_CNM_CLUSTER_UNREACHABLE' })
    await server.start()
    await vi.waitFor(() => store.commit([{ put: 'x', value: 1 }]), until)
    await vi.waitFor(() => expect(state.get('x')).toBe(1), until)
    await vi.waitFor(async () => expect((await store.get('alive/a'))?.value).toEqual({ id: 1 }), until)
    await held.release()
    expect(await store.get('alive/a')).toBeUndefined()
    ending.abort()
    await store.close()
  })

  it('a held record outlives its holder for as long as was said, and is put again after a lapse', async () => {
    await using both = await nearAndFar()
    const { proxy, near, far } = both
    const ending = new AbortController()
    const { state, events } = await follow(near, 'alive/', ending.signal)
    await far.hold('alive/b', { id: 'b' }, { seconds: 2 })
    await expect(near.hold('alive/b', { id: 'other' }, { seconds: 2 })).rejects.toMatchObject({ code: 'ERR_CNM_STORE_CONFLICT' })
    await vi.waitFor(() => expect(state.has('alive/b')).toBe(true), until)
    // Kept, though more than its time has passed.
    await new Promise((resolve) => setTimeout(resolve, 4000))
    expect(state.has('alive/b')).toBe(true)
    expect(events.flatMap(({ deleted }) => deleted)).toEqual([])
    proxy.cut()
    await vi.waitFor(() => expect(state.has('alive/b')).toBe(false), until)
    proxy.heal()
    await vi.waitFor(() => expect(state.has('alive/b')).toBe(true), until)
    ending.abort()
  })

  it('takes over what it held in an earlier life', async () => {
    number++
    const [first, second] = [open(), open()]
    await first.hold('alive/c', { id: 'c' }, { seconds: 2 })
    const held = await second.hold('alive/c', { id: 'c' }, { seconds: 60 })
    await first.close()
    await new Promise((resolve) => setTimeout(resolve, 3500))
    expect((await second.get('alive/c'))?.value).toEqual({ id: 'c' })
    await held.release()
    await second.close()
  })

  it('finds another member when the first does not answer', async () => {
    number++
    const store = etcd({ endpoints: ['http://127.0.0.1:1', server.endpoint], prefix: `/faults/${number}/` })
    await store.commit([{ put: 'k', value: 1 }])
    expect((await store.get('k'))?.value).toBe(1)
    await store.close()
  })

  it('refuses what etcd would not take, and what is not etcd', async () => {
    number++
    const store = open()
    const many = Array.from({ length: 129 }, (_, index) => ({ put: `k/${index}`, value: 1 }))
    await expect(store.commit(many)).rejects.toMatchObject({ code: 'ERR_CNM_INVALID_ARGUMENT' })
    expect(await store.list('')).toEqual([])
    await store.close()
    for (const options of [
      { endpoints: [] },
      { endpoints: ['10.0.0.1:2379'] },
      { endpoints: ['http://a:1', 'https://b:1'] },
      { endpoints: ['http://a:1'], tls: { ca: 'x' } },
      { endpoints: ['https://a:1'], tls: { cert: 'x' } },
      { endpoints: ['http://a:1'], prefix: 'x' },
      { endpoints: ['http://a:1'], surprise: true } as never,
    ])
      expect(() => etcd(options)).toThrow(expect.objectContaining({ code: 'ERR_CNM_INVALID_ARGUMENT' }))
  })
})

describe.skipIf(needs('etcd', 'openssl'))('etcd: TLS', () => {
  const openssl = (cwd: string, ...args: string[]) => run(findTool('openssl')!, args, { cwd })

  it('with client certificates, and not without', async () => {
    await using plain = await startEtcd()
    const folder = plain.directory
    const subject = ['-subj', '/CN=libcnm']
    await openssl(
      folder,
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-keyout',
      'ca.key',
      '-out',
      'ca.pem',
      ...subject,
    )
    for (const name of ['server', 'client']) {
      await openssl(
        folder,
        'req',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-keyout',
        `${name}.key`,
        '-out',
        `${name}.csr`,
        '-subj',
        `/CN=${name}`,
        '-addext',
        'subjectAltName=IP:127.0.0.1',
      )
      await openssl(
        folder,
        'x509',
        '-req',
        '-in',
        `${name}.csr`,
        '-CA',
        'ca.pem',
        '-CAkey',
        'ca.key',
        '-CAcreateserial',
        '-copy_extensions',
        'copy',
        '-out',
        `${name}.pem`,
      )
    }
    const file = (name: string): string => join(folder, name)
    await using server = await startEtcd({ tls: { cert: file('server.pem'), key: file('server.key'), clientCa: file('ca.pem') } })
    const [ca, cert, key] = await Promise.all(['ca.pem', 'client.pem', 'client.key'].map((name) => readFile(file(name))))
    const store = etcd({ endpoints: [server.endpoint], tls: { ca, cert, key } })
    await store.commit([{ put: 'k', value: 'secret' }])
    expect((await store.get('k'))?.value).toBe('secret')
    await store.close()
    for (const tls of [{ ca }, { cert, key }, undefined]) {
      const refused = etcd({ endpoints: [server.endpoint], tls, timeout: 1000 })
      await expect(refused.get('k'), JSON.stringify(Object.keys(tls ?? {}))).rejects.toMatchObject({ code: 'ERR_CNM_CLUSTER_UNREACHABLE' })
      await refused.close()
    }
  })
})
