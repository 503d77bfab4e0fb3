import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export interface EtcdServer extends AsyncDisposable {
  readonly endpoint: string
  readonly directory: string
  readonly pid: number
  /** Kills it; the data stay. */
  kill(): Promise<void>
  /** Starts it again, on the same address with the same data. */
  start(): Promise<void>
}

export interface EtcdServerOptions {
  /** Default 127.0.0.1. */
  address?: string
  port?: number
  /** Certificates in PEM files: server's, its key, and the authority of clients. */
  tls?: { cert: string; key: string; clientCa: string }
  /** Run it in this network namespace (ip netns). */
  netns?: string
  /** Write to the disk before answering, as in use. Default false. */
  durable?: boolean
}

/** A real etcd of one member, with its data in a temporary folder. */
export async function startEtcd({ address = '127.0.0.1', port, tls, netns, durable }: EtcdServerOptions = {}): Promise<EtcdServer> {
  const directory = await mkdtemp(join(tmpdir(), 'etcd-'))
  const [client = 0, peer = 0] = port === undefined ? await freePorts() : [port, port + 1]
  const scheme = tls === undefined ? 'http' : 'https'
  const host = address.includes(':') ? `[${address}]` : address
  const endpoint = `${scheme}://${host}:${client}`
  const peerUrl = `http://127.0.0.1:${peer}`
  const args = ['--name', 'test', '--data-dir', join(directory, 'data'), '--logger', 'zap', '--log-outputs', 'stderr']
  args.push('--listen-client-urls', endpoint, '--advertise-client-urls', endpoint)
  args.push('--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl, '--initial-cluster', `test=${peerUrl}`)
  if (!durable) args.push('--unsafe-no-fsync')
  if (tls !== undefined) args.push('--cert-file', tls.cert, '--key-file', tls.key, '--trusted-ca-file', tls.clientCa, '--client-cert-auth')
  const command = netns === undefined ? ['etcd', ...args] : ['ip', 'netns', 'exec', netns, 'etcd', ...args]
  let child: ChildProcess | undefined
  const server: EtcdServer = {
    endpoint,
    directory,
    get pid() {
      return child!.pid!
    },
    async start() {
      child = spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'ignore', 'pipe'] })
      const lines: string[] = []
      const exited = once(child, 'exit').then(([code]) => {
        throw new Error(`etcd ended with ${String(code)}:\n${lines.slice(-5).join('\n')}`)
      })
      exited.catch(() => undefined)
      const ready = new Promise<void>((resolve) => {
        createInterface({ input: child!.stderr! }).on('line', (line) => {
          lines.push(line)
          if (lines.length > 100) lines.shift()
          if (/serving (?:insecure )?client (?:requests|traffic)/.test(line)) resolve()
        })
      })
      await Promise.race([ready, exited])
    },
    async kill() {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
    },
    async [Symbol.asyncDispose]() {
      await server.kill()
      await rm(directory, { recursive: true })
    },
  }
  try {
    await server.start()
  } catch (error) {
    await rm(directory, { recursive: true })
    throw error
  }
  return server
}

async function freePorts(): Promise<number[]> {
  const servers = [createServer(), createServer()]
  const ports: number[] = []
  for (const server of servers) {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    ports.push((server.address() as { port: number }).port)
  }
  for (const server of servers) server.close()
  return ports
}
