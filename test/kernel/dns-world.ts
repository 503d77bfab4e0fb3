import { execFile } from 'node:child_process'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { promisify } from 'node:util'
import packet, { type Packet, type ResourceRecord } from 'dns-packet'
import {
  DnsResolver,
  openResolverSockets,
  resolverAddress6,
  resolverRedirect,
  type DnsTuning,
  type DnsView,
  type ResolverPorts,
} from 'libcnm/drivers/dns'
import { Kernel } from 'libcnm/kernel'

const run = promisify(execFile)

export interface World {
  kernel: Kernel
  resolver: DnsResolver
  faults: Error[]
  /** Makes a namespace with the resolver in it. @returns its path */
  sandbox(name: string, view: DnsView, options?: { ipv6?: boolean }): Promise<SandboxPlace>
  /** Runs a program inside a sandbox. @returns its output, also when it fails */
  inside(at: string, program: string, args: readonly string[]): Promise<string>
  close(): Promise<void>
}

export interface SandboxPlace {
  at: string
  ports: ResolverPorts
}

/** A resolver, with sandboxes made by ip(8) in the namespaces that the test file runs in. */
export async function makeWorld(tuning: Partial<DnsTuning> = {}): Promise<World> {
  const faults: Error[] = []
  const kernel = await Kernel.open()
  const resolver = new DnsResolver({ tuning, onFault: (error) => faults.push(error) })
  const made: string[] = []
  const sandbox: World['sandbox'] = async (name, view, { ipv6 = false } = {}) => {
    const at = await makeNamespace(name)
    made.push(name)
    if (ipv6) await kernel.transaction([{ do: 'create', object: resolverAddress6(at) }])
    const sockets = [await openResolverSockets(kernel, at, 4), ...(ipv6 ? [await openResolverSockets(kernel, at, 6)] : [])]
    const [ipv4, ipv6Sockets] = sockets
    const rules = resolverRedirect({ at, table: 'cnm-dns', ipv4: ipv4!.ports, ipv6: ipv6Sockets?.ports })
    await kernel.transaction(rules.map((object) => ({ do: 'create', object })))
    resolver.addSandbox({ id: name, udp: sockets.map((one) => one.udp), tcp: sockets.map((one) => one.tcp), namespace: at, view })
    return { at, ports: ipv4!.ports }
  }
  return {
    kernel,
    resolver,
    faults,
    sandbox,
    inside: async (at, program, args) => {
      const result = await run('nsenter', [`--net=${at}`, program, ...args]).catch(
        (error: unknown) => error as { stdout: string; stderr: string },
      )
      return `${result.stdout}${result.stderr}`
    },
    async close() {
      await resolver.close()
      await kernel.close()
      for (const name of made) await run('ip', ['netns', 'del', name])
    },
  }
}

export async function makeNamespace(name: string): Promise<string> {
  await run('ip', ['netns', 'add', name])
  await run('ip', ['-n', name, 'link', 'set', 'lo', 'up'])
  return `/run/netns/${name}`
}

/** What a DNS client gets, read by an independent codec. */
export interface Reply {
  code: string
  /** `aa`, `tc`, `rd`, `ra`, `ad`, in this order. */
  flags: string[]
  answers: ResourceRecord[]
  /** `name TTL type data` of each answer, in order. */
  lines: string[]
  additional: ResourceRecord[]
  question: string
  id: number
  edns: boolean
  length: number
  bytes: Buffer
}

const FLAGS: [string, number][] = [
  ['aa', 0x400],
  ['tc', 0x200],
  ['rd', 0x100],
  ['ra', 0x80],
  ['ad', 0x20],
]

export function readReply(bytes: Buffer): Reply {
  const decoded = packet.decode(bytes)
  const flags = bytes.readUInt16BE(2)
  const answers = decoded.answers ?? []
  const additional = decoded.additionals ?? []
  const extended = additional.find(({ type }) => type === 'OPT')?.extendedRcode
  return {
    code: extended === 1 ? 'BADVERS' : (decoded.rcode ?? ''),
    flags: FLAGS.filter(([, bit]) => (flags & bit) !== 0).map(([name]) => name),
    answers,
    lines: answers.map(({ name, ttl, type, data }) => `${name} ${ttl} ${type} ${dataText(data)}`),
    additional: additional.filter(({ type }) => type !== 'OPT'),
    question: decoded.questions?.[0]?.name ?? '',
    id: decoded.id ?? 0,
    edns: additional.some(({ type }) => type === 'OPT'),
    length: bytes.length,
    bytes,
  }
}

function dataText(data: unknown): string {
  if (typeof data === 'string') return data
  if (typeof data === 'object' && data !== null && 'target' in data && 'port' in data) {
    const { priority, weight, port, target } = data as Record<string, string | number>
    return `${priority} ${weight} ${port} ${target}`
  }
  return JSON.stringify(data)
}

export interface Ask {
  id?: number
  flags?: number
  class?: string
  /** UDP size that the client takes; makes an EDNS question. */
  edns?: number
  ednsVersion?: number
  dnssecOk?: boolean
}

export function question(
  name: string,
  type: string,
  { id = 4711, flags = RECURSION_DESIRED, class: klass = 'IN', edns, ednsVersion = 0, dnssecOk }: Ask = {},
): Buffer {
  const opt: ResourceRecord = { type: 'OPT', name: '.', udpPayloadSize: edns, ednsVersion, flags: dnssecOk ? 0x8000 : 0, options: [] }
  const asked: Packet = {
    type: 'query',
    id,
    flags,
    questions: [{ type, name, class: klass }],
    additionals: edns === undefined ? [] : [opt],
  }
  return packet.encode(asked)
}
const RECURSION_DESIRED = 0x100

/** A UDP client inside a sandbox. */
export interface Client {
  socket: Socket
  server: { address: string; port: number }
  /** Sends bytes and waits for the answer with the same id. */
  exchange(bytes: Buffer, milliseconds?: number): Promise<Buffer | undefined>
  ask(name: string, type: string, options?: Ask): Promise<Reply>
  close(): Promise<void>
}

export async function udpClient(kernel: Kernel, at: string, server = { address: '127.0.0.11', port: 53 }): Promise<Client> {
  const family = server.address.includes(':') ? 'udp6' : 'udp4'
  const { fd } = await kernel.socket(at, { type: 'udp', address: family === 'udp6' ? '::' : '0.0.0.0' })
  const socket = createSocket(family)
  const listening = once(socket, 'listening')
  socket.bind({ fd })
  await listening
  const waiting = new Map<number, (bytes: Buffer) => void>()
  socket.on('message', (bytes) => {
    const id = bytes.length < 2 ? -1 : bytes.readUInt16BE(0)
    waiting.get(id)?.(bytes)
    waiting.delete(id)
  })
  const exchange = (bytes: Buffer, milliseconds = 8000): Promise<Buffer | undefined> =>
    new Promise((resolve) => {
      const timer = setTimeout(() => resolve(undefined), milliseconds)
      waiting.set(bytes.readUInt16BE(0), (answer) => {
        clearTimeout(timer)
        resolve(answer)
      })
      socket.send(bytes, server.port, server.address)
    })
  return {
    socket,
    server,
    exchange,
    async ask(name, type, options) {
      const answer = await exchange(question(name, type, options))
      if (answer === undefined) throw new Error(`no answer to ${name} ${type}`)
      return readReply(answer)
    },
    async close() {
      socket.close()
      await once(socket, 'close')
    },
  }
}

export interface Upstream {
  port: number
  address: string
  /** Names asked over UDP and TCP, in order. */
  asked: string[]
  askedTcp: string[]
  /** Ports that questions came from. */
  ports: Set<number>
  close(): Promise<void>
}

/** Answers a question: records, a code, or `undefined` for silence. */
export type Behaviour = (name: string, type: string, tcp: boolean) => Answer | undefined | Promise<Answer | undefined>

export interface Answer {
  rcode?: number
  answers?: ResourceRecord[]
  authorities?: ResourceRecord[]
  truncated?: boolean
  /** Sent as it is. */
  raw?: (query: Buffer) => Buffer
}

/** A DNS server of the test's own, written with another codec than the resolver's. */
export async function upstream(behaviour: Behaviour, options: { address?: string; port?: number; fd?: number } = {}): Promise<Upstream> {
  const address = options.address ?? '127.0.0.1'
  const socket = createSocket({ type: address.includes(':') ? 'udp6' : 'udp4', recvBufferSize: 4 << 20 })
  const listening = once(socket, 'listening')
  if (options.fd === undefined) socket.bind(options.port ?? 0, address)
  else socket.bind({ fd: options.fd })
  await listening
  const { port } = socket.address()
  const state: Upstream = { port, address, asked: [], askedTcp: [], ports: new Set(), close: async () => {} }
  socket.on('message', (query, from) => {
    const { name, type } = packet.decode(query).questions![0]!
    state.asked.push(name)
    state.ports.add(from.port)
    void Promise.resolve(behaviour(name, type, false)).then((answer) => {
      if (answer !== undefined) socket.send(build(query, answer), from.port, from.address)
    })
  })
  const server = options.fd === undefined ? await tcpSide(behaviour, state) : undefined
  state.close = async () => {
    socket.close()
    await once(socket, 'close')
    if (server !== undefined) await new Promise((resolve) => server.close(resolve))
  }
  return state
}

async function tcpSide(behaviour: Behaviour, state: Upstream): Promise<Server> {
  const server = createServer((connection) => {
    let buffer = Buffer.alloc(0)
    connection.on('error', () => undefined)
    connection.on('data', (data) => {
      buffer = Buffer.concat([buffer, data])
      if (buffer.length < 2 || buffer.length < 2 + buffer.readUInt16BE(0)) return
      const query = buffer.subarray(2)
      const { name, type } = packet.decode(query).questions![0]!
      state.askedTcp.push(name)
      void Promise.resolve(behaviour(name, type, true)).then((answer) => {
        if (answer === undefined) return connection.end()
        const bytes = build(query, answer)
        const length = Buffer.alloc(2)
        length.writeUInt16BE(bytes.length)
        // In pieces, as a network may deliver it.
        connection.write(length.subarray(0, 1))
        setImmediate(() => connection.end(Buffer.concat([length.subarray(1), bytes])))
      })
    })
  })
  server.listen(state.port, state.address)
  await once(server, 'listening')
  return server
}

function build(query: Buffer, answer: Answer): Buffer {
  if (answer.raw !== undefined) return answer.raw(query)
  const { id, questions } = packet.decode(query)
  const flags = 0x180 | (answer.truncated ? 0x200 : 0) | (answer.rcode ?? 0)
  const additionals: ResourceRecord[] = [{ type: 'OPT', name: '.', udpPayloadSize: 1232, flags: 0, options: [] }]
  return packet.encode({
    type: 'response',
    id,
    flags,
    questions,
    answers: answer.answers ?? [],
    authorities: answer.authorities ?? [],
    additionals,
  })
}

export const a = (name: string, data: string, ttl = 60): ResourceRecord => ({ type: 'A', name, ttl, data })

export const soa = (name: string, ttl: number, minimum: number): ResourceRecord => ({
  type: 'SOA',
  name,
  ttl,
  data: { mname: `ns.${name}`, rname: `root.${name}`, serial: 1, refresh: 1, retry: 1, expire: 1, minimum },
})
