import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const HOST = '192.0.2.1'
const FLOWS = 5_000

/** A client beside this host, and the program that asks. */
export class Scene {
  readonly #program: string

  constructor(folder: string) {
    this.#program = join(folder, 'flows')
    execFileSync('cc', ['-O2', '-o', this.#program, fileURLToPath(new URL('flows.c', import.meta.url))])
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', '/run'])
    const commands = [
      'ip link set lo up',
      'ip netns add client',
      'ip link add up0 type veth peer name eth0 netns client',
      `ip addr add ${HOST}/24 dev up0`,
      'ip link set up0 up',
      'ip -n client addr add 192.0.2.2/24 dev eth0',
      'ip -n client link set eth0 up',
      'ip netns exec client sysctl -qw net.ipv4.ip_local_port_range="1024 65535"',
    ]
    execFileSync('sh', ['-ec', commands.join('\n')])
  }

  close(): void {
    execFileSync('sh', ['-c', 'ip netns delete client'])
  }

  /** Answers in a namespace on these ports. */
  async echo(netns: string, first: number, last: number): Promise<ChildProcess> {
    const child = spawn('nsenter', [`--net=${netns}`, this.#program, 'echo', String(first), String(last)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(child.stdout, 'data')
    return child
  }

  /** Round trips per second from the client to a port of the host, once there is an answer: a new bridge port takes its time. */
  rate(kind: 'new' | 'same', port: number): number {
    const ask = (count: number): string[] => ['netns', 'exec', 'client', this.#program, kind, HOST, String(port), String(count)]
    for (let tries = 0; tries < 10; tries++) if (spawnSync('ip', ask(1), { stdio: 'ignore' }).status === 0) break
    return Number(execFileSync('ip', ask(FLOWS), { encoding: 'utf8' }))
  }
}
