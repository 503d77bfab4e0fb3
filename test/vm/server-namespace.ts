import { execFileSync } from 'node:child_process'

export const run = (command: string, ...args: string[]): string => execFileSync(command, args, { encoding: 'utf8', stdio: 'pipe' })
export const sh = (script: string): string => run('sh', '-c', script)

/** A namespace for a server, which has `.2` of a network of which the host has `.1`. */
export interface ServerPlace {
  name: string
  /** Interface of the host. */
  link: string
  /** `10.77.0` */
  network: string
}

export function makeServerPlace({ name, link, network }: ServerPlace): void {
  run('ip', 'netns', 'add', name)
  run('ip', 'link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name)
  run('ip', 'address', 'add', `${network}.1/24`, 'dev', link)
  run('ip', '-n', name, 'address', 'add', `${network}.2/24`, 'dev', 'eth0')
  run('ip', 'link', 'set', link, 'up')
  run('ip', '-n', name, 'link', 'set', 'eth0', 'up')
  run('ip', '-n', name, 'link', 'set', 'lo', 'up')
}

export const removeServerPlace = ({ name, link }: ServerPlace): string => sh(`ip link del ${link}; ip netns del ${name}; true`)
