import { execFile, execFileSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { closeSync } from 'node:fs'
import { createServer } from 'node:http'
import type { Server } from 'node:net'
import { createServer as createTcpServer, Socket, type AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import { Kernel, type SocketRequest } from 'libcnm/kernel'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { leftBehind, takeCensus, type Census } from '../census.js'
import { needs, needsPrivileges } from '../tools.js'

const AT = '/run/netns/sockets'
const inside = (...command: string[]): string => execFileSync('nsenter', [`--net=${AT}`, ...command], { encoding: 'utf8' })
const code = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => (error as { code?: unknown }).code,
  )

describe.skipIf(needsPrivileges() ?? needs('ip', 'nsenter', 'curl'))('sockets made in a namespace', () => {
  let kernel: Kernel
  let before: Census
  beforeAll(async () => {
    kernel = await Kernel.open()
    await kernel.transaction([{ do: 'create', object: { kind: 'namespace', at: AT } }])
    inside('ip', 'link', 'set', 'lo', 'up')
    before = await takeCensus()
  })
  afterAll(async () => {
    expect(await leftBehind(before)).toEqual([])
    await kernel.transaction([{ do: 'delete', object: { kind: 'namespace', at: AT } }])
    await kernel.close()
  })

  async function listening(server: Server, request: SocketRequest): Promise<Server> {
    const { fd } = await kernel.socket(AT, request)
    server.listen({ fd })
    await once(server, 'listening')
    return server
  }

  async function connected(to: { host: string; port: number }, request: SocketRequest = { type: 'tcp', family: 4 }): Promise<Socket> {
    const { fd } = await kernel.socket(AT, request)
    const socket = new Socket({ fd, readable: true, writable: true })
    socket.connect(to)
    await once(socket, 'connect')
    return socket
  }

  async function close(server: Server): Promise<void> {
    server.close()
    await once(server, 'close')
  }

  async function ask(socket: Socket, words: string): Promise<string> {
    socket.end(words)
    let answer = ''
    for await (const chunk of socket) answer += String(chunk)
    return answer
  }

  it('serve HTTP inside it, and not outside', async () => {
    const server = await listening(
      createServer((_, response) => response.end('hello')),
      { type: 'tcp-listen', address: '127.0.0.1', port: 8080 },
    )
    expect((server.address() as AddressInfo).port).toBe(8080)
    const { stdout } = await promisify(execFile)('nsenter', [`--net=${AT}`, 'curl', '-s', '--max-time', '5', 'http://127.0.0.1:8080/'])
    expect(stdout).toBe('hello')
    const outside = new Socket().connect({ host: '127.0.0.1', port: 8080 })
    const [error] = (await once(outside, 'error')) as [NodeJS.ErrnoException]
    expect(error.code).toBe('ECONNREFUSED')
    await close(server)
  })

  for (const { family, host } of [
    { family: 4, host: '127.0.0.1' },
    { family: 6, host: '::1' },
  ] as const) {
    it(`connect to servers inside it over IPv${family}`, async () => {
      const server = await listening(
        createTcpServer((peer) => peer.pipe(peer)),
        { type: 'tcp-listen', address: host },
      )
      const { port } = server.address() as AddressInfo
      const socket = await connected({ host, port }, { type: 'tcp', family })
      expect(await ask(socket, 'echo')).toBe('echo')
      await close(server)
    })
  }

  it('take both families on ::, or only IPv6', async () => {
    const server = await listening(
      createTcpServer((peer) => peer.end('both')),
      { type: 'tcp-listen' },
    )
    const { port } = server.address() as AddressInfo
    expect(await ask(await connected({ host: '127.0.0.1', port }), '')).toBe('both')
    await close(server)
    const only = await listening(createTcpServer(), { type: 'tcp-listen', v6only: true })
    await expect(connected({ host: '127.0.0.1', port: (only.address() as AddressInfo).port })).rejects.toMatchObject({
      code: 'ECONNREFUSED',
    })
    await close(only)
  })

  it('connect from the address that was asked for', async () => {
    const server = await listening(
      createTcpServer((peer) => peer.end(peer.remoteAddress ?? 'gone')),
      { type: 'tcp-listen', address: '127.0.0.1' },
    )
    const { port } = server.address() as AddressInfo
    const socket = await connected({ host: '127.0.0.1', port }, { type: 'tcp', address: '127.0.0.9' })
    expect(await ask(socket, '')).toBe('127.0.0.9')
    await close(server)
  })

  it('exchange datagrams', async () => {
    const [a, b] = await Promise.all([
      kernel.socket(AT, { type: 'udp', address: '127.0.0.1', port: 5353 }),
      kernel.socket(AT, { type: 'udp', address: '127.0.0.1' }),
    ])
    expect(a.address).toEqual({ address: '127.0.0.1', port: 5353 })
    const [server, client] = [createSocket('udp4'), createSocket('udp4')]
    server.bind({ fd: a.fd })
    client.bind({ fd: b.fd })
    server.on('message', (message, from) => server.send(`<${message.toString()}>`, from.port, from.address))
    client.send('ping', 5353, '127.0.0.1')
    expect(String(((await once(client, 'message')) as [Buffer])[0])).toBe('<ping>')
    server.close()
    client.close()
    await Promise.all([once(server, 'close'), once(client, 'close')])
  })

  it('have abstract unix names of their own', async () => {
    const server = await listening(
      createTcpServer((peer) => peer.end('unix')),
      { type: 'unix-listen', path: '@libcnm-test' },
    )
    expect(inside('grep', '-c', '@libcnm-test$', '/proc/net/unix').trim()).toBe('1')
    const { fd } = await kernel.socket(AT, { type: 'unix', path: '@libcnm-test' })
    expect(await ask(new Socket({ fd, readable: true, writable: true }), '')).toBe('unix')
    await expect(kernel.socket('host', { type: 'unix', path: '@libcnm-test' })).rejects.toMatchObject({ errnoName: 'ECONNREFUSED' })
    await close(server)
  })

  it('are closed on exec and do not block', async () => {
    const { fd } = await kernel.socket(AT, { type: 'tcp-listen' })
    const flags = parseInt(
      execFileSync('sh', ['-c', `grep flags /proc/${process.pid}/fdinfo/${fd}`], { encoding: 'utf8' })
        .replace('flags:', '')
        .trim(),
      8,
    )
    expect(flags & 0o2004000).toBe(0o2004000)
    closeSync(fd)
  })

  it('are refused in words that say what was wrong, and nothing stays open', async () => {
    const { fd } = await kernel.socket(AT, { type: 'tcp-listen', address: '127.0.0.1', port: 7000 })
    await expect(kernel.socket(AT, { type: 'tcp-listen', address: '127.0.0.1', port: 7000 })).rejects.toMatchObject({
      code: 'ERR_CNM_KERNEL',
      errnoName: 'EADDRINUSE',
    })
    closeSync(fd)
    await expect(kernel.socket(AT, { type: 'udp', address: '192.0.2.1' })).rejects.toMatchObject({ errnoName: 'EADDRNOTAVAIL' })
    expect(await code(kernel.socket(AT, { type: 'udp', address: 'here' }))).toBe('ERR_CNM_INVALID_ARGUMENT')
    expect(await code(kernel.socket(AT, { type: 'udp', port: 65536 }))).toBe('ERR_CNM_INVALID_ARGUMENT')
    expect(await code(kernel.socket(AT, { type: 'udp', link: 'not-there' }))).toBe('ERR_CNM_LINK_NOT_FOUND')
    expect(await code(kernel.socket('/run/netns/not-there', { type: 'udp' }))).toBe('ERR_CNM_NAMESPACE_NOT_FOUND')
    const free = await kernel.socket(AT, { type: 'udp', address: '192.0.2.1', freeBind: true, link: 'lo' })
    expect(free.address?.address).toBe('192.0.2.1')
    closeSync(free.fd)
  })
})
