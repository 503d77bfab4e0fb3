import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { DnsResolver, openResolverSockets, resolverRedirect } from 'libcnm/drivers/dns'
import { Kernel } from 'libcnm/kernel'

/** A server that is being measured, serving as many sandboxes (or addresses) as it was started with. */
export interface Contestant {
  name: string
  /** Where sandbox number `i` finds it. */
  target(i: number): { prefix?: readonly string[]; address: string; port: number }
  /** Processor time used so far, milliseconds. */
  processorTime(): number
  stop(): Promise<void>
}

/** Names that each sandbox's network has, host0 to host999. */
export const NAMES = 1000
const hostAddress = (i: number): string => `10.0.${i >> 8}.${i & 255}`
/** Addresses of the other servers, which serve many networks from one namespace. */
const address = (net: number, i: number): string => `127.${net}.${Math.floor(i / 250)}.${(i % 250) + 1}`
const DNSMASQ = 1
const AARDVARK_NET = 2
/** Every server has this core for itself, and those who ask the other. */
const CORE = '0'
const PORT = 53
const AARDVARK = ['/usr/lib/podman/aardvark-dns', '/usr/libexec/podman/aardvark-dns'].find(existsSync)
/** USER_HZ. */
const TICK = 10

/** utime and stime of proc(5). */
function ticks(path: string): number {
  const fields = readFileSync(path, 'utf8').split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) * TICK
}

function processes(name: string): string[] {
  return readdirSync('/proc').filter((id) => {
    if (!/^\d+$/.test(id)) return false
    try {
      return readFileSync(`/proc/${id}/comm`, 'utf8').trim() === name
    } catch {
      return false
    }
  })
}

/**
 * Ours: one thread of this process, a namespace for each sandbox. Reached as programs reach it, through the redirect,
 * which the others do without; and beside that at its own port.
 */
export async function libcnm(sandboxes: number): Promise<[Contestant, Contestant]> {
  const threads = (): string[] => readdirSync('/proc/self/task')
  const kernel = await Kernel.open()
  const resolver = new DnsResolver({ onFault: (error) => console.error(error) })
  const endpoints = [...Array(NAMES).keys()].map((i) => ({ id: `e${i}`, names: [`host${i}`], addresses: [hostAddress(i)] }))
  resolver.putNetwork({ id: 'n', name: 'front', endpoints })
  const before = new Set(threads())
  const own: number[] = []
  for (let i = 0; i < sandboxes; i++) {
    execFileSync('ip', ['netns', 'add', `bench${i}`])
    execFileSync('ip', ['-n', `bench${i}`, 'link', 'set', 'lo', 'up'])
    const at = `/run/netns/bench${i}`
    const { udp, tcp, ports } = await openResolverSockets(kernel, at, 4)
    await kernel.transaction(resolverRedirect({ at, table: 'cnm-dns', ipv4: ports }).map((object) => ({ do: 'create', object })))
    own.push(ports.udp)
    resolver.addSandbox({ id: `s${i}`, udp: [udp], tcp: [tcp], view: { networks: ['n'], forwarding: { to: 'none' } } })
  }
  await resolver.statistics()
  const [thread] = threads().filter((id) => !before.has(id))
  execFileSync('taskset', ['-pc', CORE, thread!])
  const shared = { processorTime: () => ticks(`/proc/self/task/${thread}/stat`) }
  const place = (i: number, port: number) => ({ prefix: ['nsenter', `--net=/run/netns/bench${i}`], address: '127.0.0.11', port })
  const stop = async (): Promise<void> => {
    await resolver.close()
    await kernel.close()
    for (let i = 0; i < sandboxes; i++) execFileSync('ip', ['netns', 'del', `bench${i}`])
  }
  return [
    { name: 'libcnm', target: (i) => place(i, PORT), stop, ...shared },
    { name: 'libcnm, no redirect', target: (i) => place(i, own[i]!), stop: async () => undefined, ...shared },
  ]
}

export async function dnsmasq(sandboxes: number, folder: string): Promise<Contestant> {
  const hosts = join(folder, 'hosts')
  writeFileSync(hosts, [...Array(NAMES).keys()].map((i) => `${hostAddress(i)} host${i}\n`).join(''))
  const config = join(folder, 'dnsmasq.conf')
  const listen = [...Array(sandboxes).keys()].map((i) => `listen-address=${address(DNSMASQ, i)}\n`).join('')
  writeFileSync(config, `user=root\nno-resolv\nno-hosts\naddn-hosts=${hosts}\nbind-interfaces\nport=${PORT}\n${listen}`)
  const child = spawn('taskset', ['-c', CORE, 'dnsmasq', '--keep-in-foreground', '--pid-file=', '-C', config], { stdio: 'ignore' })
  await sleep(500)
  return {
    name: 'dnsmasq',
    target: (i) => ({ address: address(DNSMASQ, i), port: PORT }),
    processorTime: () => ticks(`/proc/${child.pid}/stat`),
    async stop() {
      const ended = once(child, 'exit')
      child.kill()
      await ended
    },
  }
}

/** @returns undefined when it is not installed */
export async function aardvark(sandboxes: number, folder: string): Promise<Contestant | undefined> {
  if (AARDVARK === undefined) return undefined
  const config = join(folder, 'aardvark')
  mkdirSync(config)
  const containers = [...Array(NAMES).keys()].map((i) => `id${i} ${hostAddress(i)}  host${i}\n`).join('')
  for (let i = 0; i < sandboxes; i++) writeFileSync(join(config, `net${i}`), `${address(AARDVARK_NET, i)}\n${containers}`)
  // It goes to the background by itself.
  spawn('taskset', ['-c', CORE, AARDVARK, '--config', config, '-p', `${PORT}`, 'run'], { stdio: 'ignore' })
  const pidFile = join(config, 'aardvark.pid')
  for (let i = 0; i < 100 && !existsSync(pidFile); i++) await sleep(100)
  await sleep(1000)
  return {
    name: 'aardvark-dns',
    target: (i) => ({ address: address(AARDVARK_NET, i), port: PORT }),
    // It may have left its first process behind.
    processorTime: () => processes('aardvark-dns').reduce((sum, one) => sum + ticks(`/proc/${one}/stat`), 0),
    async stop() {
      const running = processes('aardvark-dns').map(Number)
      for (const pid of running) process.kill(pid)
      // Whoever is first in the process namespace does not reap what others left: it stays as a zombie.
      while (running.some((pid) => existsSync(`/proc/${pid}/exe`))) await sleep(50)
    },
  }
}
