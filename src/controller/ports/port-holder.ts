import { readdir, readFile, readlink } from 'node:fs/promises'
import type { PortView } from '../../contracts/network-driver.js'

/** Tables of sockets (proc(5)); TCP is taken by what listens, UDP by what is bound. */
const TABLES = { tcp: ['tcp', 'tcp6'], udp: ['udp', 'udp6'], sctp: ['sctp/eps'] } as const
const LISTENING = '0A'

/**
 * Who else on the host has a port, in words: `nginx (pid 1234)`. `undefined` when it cannot be told: the process is in
 * another container or user, or is gone by now. Slow, for error messages.
 */
export async function holderOf(protocol: PortView['protocol'], port: number): Promise<string | undefined> {
  const inodes = new Set((await Promise.all(TABLES[protocol].map((table) => boundInodes(table, protocol, port)))).flat())
  if (inodes.size === 0) return undefined
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    if (await holdsAny(pid, inodes)) return `${await commandOf(pid)} (pid ${pid})`
  }
  return undefined
}

async function boundInodes(table: string, protocol: PortView['protocol'], port: number): Promise<string[]> {
  const text = await readFile(`/proc/net/${table}`, 'utf8').catch(() => '')
  const lines = text
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
  if (protocol === 'sctp') return lines.filter((fields) => fields[5] === String(port)).flatMap((fields) => fields[7] ?? [])
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  return lines
    .filter((fields) => fields[1]?.endsWith(suffix) && (protocol === 'udp' || fields[3] === LISTENING))
    .flatMap((fields) => fields[9] ?? [])
}

async function holdsAny(pid: string, inodes: ReadonlySet<string>): Promise<boolean> {
  const folder = `/proc/${pid}/fd`
  const fds = await readdir(folder).catch(() => [])
  const links = await Promise.all(fds.map((fd) => readlink(`${folder}/${fd}`).catch(() => '')))
  return links.some((link) => inodes.has(/^socket:\[(\d+)\]$/.exec(link)?.[1] ?? ''))
}

const commandOf = async (pid: string): Promise<string> => (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => 'a process')).trim()
