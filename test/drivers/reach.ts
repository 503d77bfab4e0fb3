import { execFile, type ChildProcess } from 'node:child_process'
import dgram from 'node:dgram'
import { once } from 'node:events'
import net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Kernel } from 'libcnm/kernel'

/** Real sockets in namespaces: who reaches what, and as whom the other side sees them. */

export const PATIENCE_MS = 500

export interface Server {
  close(): void
}

/** Answers on a port of a namespace, over TCP and UDP and both families, with `<name> <address of the asker>`. */
export async function serve(kernel: Kernel, at: string, port: number, name: string): Promise<Server> {
  const tcp = net.createServer((socket) => {
    socket.on('error', () => undefined)
    socket.end(`${name} ${plain(socket.remoteAddress)}`)
  })
  tcp.listen({ fd: (await kernel.socket(at, { type: 'tcp-listen', address: '::', port })).fd })
  await once(tcp, 'listening')
  const udp = dgram.createSocket('udp6')
  udp.on('message', (_, { address, port: from }) => udp.send(`${name} ${plain(address)}`, from, address))
  udp.on('error', () => undefined)
  await bound(udp, (await kernel.socket(at, { type: 'udp', address: '::', port })).fd)
  return {
    close() {
      tcp.close()
      udp.close()
    },
  }
}

/** A descriptor makes it listen at once. */
async function bound(socket: dgram.Socket, fd: number): Promise<void> {
  const listening = once(socket, 'listening')
  socket.bind({ fd })
  await listening
}

const plain = (address = ''): string => address.replace(/^::ffff:/, '')

/** What a server answers to somebody in namespace `at`; `undefined` when nothing comes in time. */
export async function ask(kernel: Kernel, at: string, protocol: 'tcp' | 'udp', address: string, port: number): Promise<string | undefined> {
  return protocol === 'tcp' ? askTcp(kernel, at, address, port) : askUdp(kernel, at, address, port)
}

async function askTcp(kernel: Kernel, at: string, address: string, port: number): Promise<string | undefined> {
  const { fd } = await kernel.socket(at, { type: 'tcp', family: address.includes(':') ? 6 : 4 })
  const socket = new net.Socket({ fd })
  let text = ''
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()))
  socket.on('error', () => undefined)
  socket.connect({ host: address, port })
  const timer = setTimeout(() => socket.destroy(), PATIENCE_MS)
  await new Promise((resolve) => socket.on('close', resolve))
  clearTimeout(timer)
  return text === '' ? undefined : text
}

async function askUdp(kernel: Kernel, at: string, address: string, port: number): Promise<string | undefined> {
  const version6 = address.includes(':')
  const { fd } = await kernel.socket(at, { type: 'udp', address: version6 ? '::' : '0.0.0.0', port: 0 })
  const socket = dgram.createSocket(version6 ? 'udp6' : 'udp4')
  socket.on('error', () => undefined)
  await bound(socket, fd)
  try {
    socket.send('?', port, address, () => undefined)
    const [message] = (await once(socket, 'message', { signal: AbortSignal.timeout(PATIENCE_MS) })) as [Buffer]
    return message.toString()
  } catch {
    return undefined
  } finally {
    socket.close()
  }
}

/**
 * SCTP without a kernel that speaks it: INIT chunks (RFC 9260) on raw sockets, with their CRC32c.
 * `send`: one for each line of address, port and source port. `hear`: prints which came in, until its input ends.
 */
const SCTP = `
import random, select, socket, struct, sys
table = []
for n in range(256):
    for _ in range(8): n = (n >> 1) ^ (0x82F63B78 if n & 1 else 0)
    table.append(n)
def crc(data):
    c = 0xffffffff
    for byte in data: c = table[(c ^ byte) & 255] ^ (c >> 8)
    return c ^ 0xffffffff
def init(source, port):
    chunk = struct.pack('>BBHIIHHI', 1, 0, 20, random.getrandbits(32) | 1, 65536, 1, 1, 1)
    head = struct.pack('>HHI', source, port, 0)
    return head + struct.pack('<I', crc(head + bytes(4) + chunk)) + chunk
family = int(sys.argv[2])
s = socket.socket(socket.AF_INET6 if family == 6 else socket.AF_INET, socket.SOCK_RAW, 132)
if sys.argv[1] == 'send':
    for line in sys.stdin:
        address, port, source = line.split()
        try: s.sendto(init(int(source), int(port)), (address, 0))
        except OSError: pass
else:
    print('ready', flush=True)
    while True:
        readable = select.select([s, sys.stdin], [], [])[0]
        if s in readable:
            data, peer = s.recvfrom(2048)
            if family == 4: data = data[(data[0] & 15) * 4:]
            source, port = struct.unpack('>HH', data[:4])
            if data[12] == 1: print(port, source, peer[0], flush=True)
        elif readable: break
`

const python = (netns: string, mode: 'send' | 'hear', family: 4 | 6): ChildProcess => {
  const command = ['python3', '-c', SCTP, mode, String(family)]
  return netns === 'host' ? execFile(command[0]!, command.slice(1)) : execFile('ip', ['netns', 'exec', netns, ...command])
}

/** An SCTP INIT that was sent or heard. */
export interface SctpInit {
  port: number
  /** Source port, by which it is known again. */
  source: number
  address: string
}

/** Sends INITs from several namespaces; returns which of them arrived in another one, with the address they came from. */
export async function tellSctp(to: string, family: 4 | 6, calls: readonly { from: string; inits: SctpInit[] }[]): Promise<SctpInit[]> {
  const ear = python(to, 'hear', family)
  let text = ''
  ear.stdout!.on('data', (chunk: string) => (text += chunk))
  const closed = once(ear, 'close')
  await once(ear.stdout!, 'data')
  await Promise.all(
    calls.map(async ({ from, inits }) => {
      const mouth = python(from, 'send', family)
      mouth.stdin!.end(inits.map(({ address, port, source }) => `${address} ${port} ${source}\n`).join(''))
      await once(mouth, 'close')
    }),
  )
  await sleep(100)
  ear.stdin!.end()
  await closed
  const lines = text.split('\n').filter((line) => /^\d/.test(line))
  return lines
    .map((line) => line.split(' '))
    .map(([port, source, address]) => ({ port: Number(port), source: Number(source), address: address! }))
}
