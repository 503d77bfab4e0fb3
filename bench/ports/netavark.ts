import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { ratesOf } from './libcnm.js'
import { LIMIT_MS, type Contender, type Shape } from './run.js'

const PROGRAM = ['/usr/lib/podman/netavark', '/usr/libexec/podman/netavark'].find((path) => existsSync(path))
/** Others than libcnm's: netavark leaves the connection table as it is. */
const FIRST = 40_000
const NETWORK = 'b'.repeat(64)
const NETNS = '/run/netns/netavark'

const mapping = (port: number, range: number): object => ({ container_port: port, host_port: port, host_ip: '', protocol: 'udp', range })
const MAPPINGS: Record<Shape, object[]> = {
  'one port': [mapping(FIRST, 1)],
  '1,000 as one range': [mapping(FIRST, 1000)],
  '1,000 one by one': Array.from({ length: 1000 }, (_, n) => mapping(FIRST + n, 1)),
}

/** Setting up a container with the ports, less what it takes without any; absent where netavark is not installed. */
export function netavark(folder: string): Contender | undefined {
  if (PROGRAM === undefined || spawnSync('iptables', ['--version']).status !== 0) {
    console.log('netavark: not measured (it, or iptables, is not installed)')
    return undefined
  }
  const file = join(folder, 'netavark.json')
  const run = (verb: 'setup' | 'teardown', ports: object[]): number => {
    writeFileSync(file, JSON.stringify(configuration(ports)))
    const start = performance.now()
    const { status } = spawnSync(PROGRAM, ['--config', folder, '--file', file, verb, NETNS], { stdio: 'ignore', timeout: LIMIT_MS })
    return status === null ? Infinity : performance.now() - start
  }
  return {
    name: `netavark ${execFileSync(PROGRAM, ['--version'], { encoding: 'utf8' }).trim().split(' ').pop()}`,
    once: '1,000 one by one',
    async measure(shape, scene) {
      execFileSync('ip', ['netns', 'add', 'netavark'])
      const [without, withoutDown] = [run('setup', []), run('teardown', [])]
      const publish = run('setup', MAPPINGS[shape]) - without
      const rules = execFileSync('iptables-save', { encoding: 'utf8', maxBuffer: 1 << 28 })
      const rates = publish < Infinity ? await ratesOf(scene, NETNS, shape, FIRST) : { first: NaN, further: NaN }
      const withdraw = run('teardown', MAPPINGS[shape]) - withoutDown
      execFileSync('ip', ['netns', 'delete', 'netavark'])
      return { publish, withdraw, rules: rules.split('\n').filter((line) => line.startsWith('-A')).length, ...rates }
    },
  }
}

const configuration = (ports: object[]): object => ({
  container_id: 'c'.repeat(64),
  container_name: 'bench',
  port_mappings: ports,
  networks: { bench: { interface_name: 'eth0', static_ips: ['10.251.0.2'] } },
  network_info: {
    bench: {
      name: 'bench',
      id: NETWORK,
      driver: 'bridge',
      network_interface: 'nv0',
      subnets: [{ subnet: '10.251.0.0/24', gateway: '10.251.0.1' }],
      ipv6_enabled: false,
      internal: false,
      dns_enabled: false,
      ipam_options: { driver: 'host-local' },
    },
  },
})
