import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import dgram from 'node:dgram'
import { once } from 'node:events'
import { rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  deleteFlows,
  deleteFlowsOf,
  deleteFlowsTo,
  deleteMatchingFlows,
  FLOW_STATUS,
  listFlows,
  type Flow,
} from '../../src/kernel/conntrack/index.js'
import { NETLINK_NETFILTER } from '../../src/kernel/handler.js'
import { NetlinkSocket } from '../../src/kernel/netlink/socket.js'
import { needs, needsPrivileges } from '../tools.js'

const HOST = '10.91.0.1'
const TARGET = '10.91.0.2'
const HOST6 = 'fd91::1'
const TARGET6 = 'fd91::2'
const run = (command: string, ...args: string[]): string => execFileSync(command, args, { encoding: 'utf8', stdio: 'pipe' })
const nsRun = (...args: string[]): string => run('ip', 'netns', 'exec', 'ct-target', ...args)

/**
 * One namespace behind a veth pair; this one publishes UDP and TCP port 8080 of its own address to port 80 over there.
 * Ports differ, so that mixing up the two tuples shows.
 */
describe.skipIf(needsPrivileges() ?? needs('ip', 'nft', 'conntrack', 'ping'))('conntrack over netlink', () => {
  let socket: NetlinkSocket
  let server: ChildProcess

  beforeAll(async () => {
    run('ip', 'netns', 'add', 'ct-target')
    run('ip', 'link', 'add', 'ct0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', 'ct-target')
    for (const address of [`${HOST}/24`, `${HOST6}/64`])
      run('ip', 'addr', 'add', address, 'dev', 'ct0', ...(address.includes(':') ? ['nodad'] : []))
    for (const address of [`${TARGET}/24`, `${TARGET6}/64`])
      nsRun('ip', 'addr', 'add', address, 'dev', 'eth0', ...(address.includes(':') ? ['nodad'] : []))
    run('ip', 'link', 'set', 'ct0', 'up')
    nsRun('ip', 'link', 'set', 'eth0', 'up')
    nsRun('ip', 'link', 'set', 'lo', 'up')
    run(
      'nft',
      `table inet ct-test {
      chain output { type nat hook output priority -100;
        ip daddr ${HOST} udp dport 8080 dnat ip to ${TARGET}:80
        ip daddr ${HOST} tcp dport 8080 dnat ip to ${TARGET}:80
        ip6 daddr ${HOST6} udp dport 8080 dnat ip6 to [${TARGET6}]:80
      }
      chain marks { type filter hook output priority 0; udp dport 7777 ct mark set 0x1234; }
    }`,
    )
    run('sysctl', '-qw', 'net.netfilter.nf_conntrack_acct=1')
    const script = "require('net').createServer((socket) => socket.on('error', () => {}).resume()).listen(80, () => console.log('up'))"
    server = spawn('ip', ['netns', 'exec', 'ct-target', process.execPath, '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(server.stdout!, 'data')
    socket = new NetlinkSocket(NETLINK_NETFILTER)
  })
  beforeEach(() => {
    run('conntrack', '-F')
  })
  afterAll(() => {
    server?.kill()
    socket?.close()
    run('nft', 'delete', 'table', 'inet', 'ct-test')
    run('ip', 'netns', 'del', 'ct-target')
  })

  it('lists a translated UDP flow with both tuples, its status and counters', async () => {
    const from = await sendUdp(HOST, 8080, 'hello')
    const flow = only(listFlows(socket, { original: { destination: HOST, protocol: 'udp', destinationPort: 8080 } }))
    expect(flow).toMatchObject({
      family: 4,
      original: { source: HOST, destination: HOST, protocol: 17, sourcePort: from, destinationPort: 8080 },
      reply: { source: TARGET, destination: HOST, protocol: 17, sourcePort: 80, destinationPort: from },
      zone: 0,
      mark: 0,
    })
    expect(flow.status & FLOW_STATUS.destinationNat).toBeTruthy()
    expect(flow.timeout).toBeGreaterThan(0)
    expect(flow.counters?.original).toEqual({ packets: 1, bytes: 20 + 8 + 5 })
  })

  it('shows what conntrack -L shows, in both families and all protocols', async () => {
    await sendUdp(HOST, 8080, 'a')
    await sendUdp(HOST6, 8080, 'a')
    await sendUdp(TARGET, 7777, 'a')
    await connectTcp(HOST, 8080)
    run('ping', '-c1', '-W2', TARGET)
    run('ping', '-6', '-c1', '-W2', TARGET6)
    insert('sctp', '--state', 'ESTABLISHED', '--orig-vtag', '1', '--reply-vtag', '2')
    const theirs = [...conntrackList('ipv4'), ...conntrackList('ipv6')]
    expect(new Set(theirs.map((line) => line.split(' ')[0]))).toEqual(new Set(['udp', 'tcp', 'icmp', 'icmpv6', 'sctp']))
    expect(listFlows(socket).map(asConntrackLine).sort()).toEqual(theirs.sort())
  })

  it('filters by family, mark, protocol and address, as the kernel does', async () => {
    await sendUdp(TARGET, 7777, 'marked')
    await sendUdp(TARGET, 7778, 'plain')
    await sendUdp(TARGET6, 7778, 'six')
    await connectTcp(TARGET, 80)
    const ports = (filter: Parameters<typeof listFlows>[1]): (number | undefined)[] =>
      listFlows(socket, filter).map((flow) => flow.original.destinationPort)
    expect(ports({ mark: { value: 0x1234 } })).toEqual([7777])
    expect(ports({ mark: { value: 0x1000, mask: 0xf000 } })).toEqual([7777])
    expect(listFlows(socket, { family: 6 }).filter(({ original }) => original.protocol === 17)).toHaveLength(1)
    expect(listFlows(socket, { family: 6 }).every((flow) => flow.family === 6)).toBe(true)
    expect(listFlows(socket, { original: { destination: TARGET, protocol: 'tcp' } })).toHaveLength(1)
    expect(ports({ original: { destination: TARGET, protocol: 'udp' } }).sort()).toEqual([7777, 7778])
    expect(ports({ reply: { source: TARGET6, protocol: 'udp', sourcePort: 7778 } })).toEqual([7778])
    expect(ports({ zone: 5 })).toEqual([])
  })

  it('deletes by original destination: the published port, not the container port', async () => {
    await sendUdp(HOST, 8080, 'published')
    await sendUdp(TARGET, 80, 'direct')
    await sendUdp(HOST6, 8080, 'six')
    expect(deleteFlowsTo(socket, { address: HOST, protocol: 'udp', port: 80 })).toBe(0)
    expect(deleteFlowsTo(socket, { address: HOST, protocol: 'tcp', port: 8080 })).toBe(0)
    expect(deleteFlowsTo(socket, { address: HOST, protocol: 'udp', port: 8080 })).toBe(1)
    expect(conntrackList('ipv4', '-p', 'udp')).toEqual([expect.stringContaining(`dst=${TARGET} `)])
    expect(conntrackList('ipv6', '-p', 'udp')).toHaveLength(1)
    expect(deleteFlowsTo(socket, { address: HOST6, protocol: 'udp', port: 8080 })).toBe(1)
    expect(conntrackList('ipv6', '-p', 'udp')).toHaveLength(0)
  })

  it('deletes by address at either end, before and after translation, and nothing else', async () => {
    await sendUdp(HOST, 8080, 'translated to the target')
    await sendUdp(TARGET, 7778, 'to the target')
    await sendUdp('127.0.0.1', 7779, 'elsewhere')
    run('ping', '-c1', '-W2', TARGET)
    expect(deleteFlowsOf(socket, TARGET)).toBe(3)
    expect(listFlows(socket, { family: 4 }).map(({ original }) => original.destinationPort)).toEqual([7779])
  })

  it('deletes one flow by its tuple and id, and passes over one that is gone', async () => {
    const port = await sendUdp(TARGET, 7778, 'a')
    await sendUdp(TARGET, 7779, 'b')
    const flow = only(listFlows(socket, { original: { sourcePort: port, protocol: 'udp' } }))
    expect(deleteFlows(socket, [{ ...flow, id: flow.id ^ 1 }])).toBe(0)
    expect(deleteFlows(socket, [flow])).toBe(1)
    expect(deleteFlows(socket, [flow])).toBe(0)
    expect(conntrackList('ipv4', '-p', 'udp')).toHaveLength(1)
  })

  it('deletes an established TCP connection of which the kernel knows a zone', () => {
    run(
      'conntrack',
      '-I',
      '-p',
      'tcp',
      '-s',
      HOST,
      '-d',
      TARGET,
      '--sport',
      '1',
      '--dport',
      '2',
      '--state',
      'ESTABLISHED',
      '-t',
      '6000',
      '-u',
      'SEEN_REPLY',
      '-w',
      '7',
    )
    run(
      'conntrack',
      '-I',
      '-p',
      'tcp',
      '-s',
      HOST,
      '-d',
      TARGET,
      '--sport',
      '1',
      '--dport',
      '2',
      '--state',
      'ESTABLISHED',
      '-t',
      '6000',
      '-u',
      'SEEN_REPLY',
    )
    const flow = only(listFlows(socket, { zone: 7 }))
    expect(flow).toMatchObject({ zone: 7, tcpState: 3 })
    expect(deleteFlows(socket, [flow])).toBe(1)
    expect(listFlows(socket).map(({ zone }) => zone)).toEqual([0])
  })

  it('deletes thousands in batches', () => {
    const lines = Array.from({ length: 3000 }, (_, i) => `-I -p udp -s ${TARGET} -d 10.${i >> 8}.${i & 255}.1 --sport 5 --dport 6 -t 6000`)
    const file = join(tmpdir(), 'flows')
    writeFileSync(file, lines.join('\n') + '\n')
    run('conntrack', '-R', file)
    rmSync(file)
    insert('udp')
    expect(listFlows(socket)).toHaveLength(3001)
    expect(deleteFlowsOf(socket, TARGET)).toBe(3001)
    expect(conntrackList('ipv4')).toEqual([])
  })

  it('refuses what would empty the table, and says which field is wrong', () => {
    expect(() => deleteMatchingFlows(socket, {})).toThrow(expect.objectContaining({ code: 'ERR_CNM_INVALID_ARGUMENT', field: 'filter' }))
    expect(() => deleteMatchingFlows(socket, { original: {} })).toThrow(expect.objectContaining({ field: 'filter' }))
    expect(() => listFlows(socket, { original: { destination: '10.0.0' } })).toThrow(
      expect.objectContaining({ field: 'original.destination' }),
    )
    expect(() => listFlows(socket, { original: { destinationPort: 1 } })).toThrow(expect.objectContaining({ field: 'original.protocol' }))
    expect(() => listFlows(socket, { family: 4, reply: { source: '::1' } })).toThrow(expect.objectContaining({ field: 'family' }))
  })
})

function only<T>(values: T[]): T {
  expect(values).toHaveLength(1)
  return values[0]!
}

/** @returns the source port */
async function sendUdp(address: string, port: number, text: string): Promise<number> {
  const sender = dgram.createSocket(net.isIPv6(address) ? 'udp6' : 'udp4')
  await new Promise<void>((resolve, reject) => sender.send(text, port, address, (error) => (error ? reject(error) : resolve())))
  const { port: from } = sender.address()
  sender.close()
  return from
}

/** Opens and resets: the entry then lives for seconds, without packets that change its counters meanwhile. */
async function connectTcp(address: string, port: number): Promise<void> {
  const client = net.connect(port, address)
  await once(client, 'connect')
  client.resetAndDestroy()
  await once(client, 'close')
}

function insert(protocol: string, ...more: string[]): void {
  run('conntrack', '-I', '-p', protocol, '-s', HOST, '-d', TARGET, '--sport', '1000', '--dport', '2000', '-t', '6000', ...more)
}

/** `udp 10.0.0.1>10.0.0.2 1000>2000 ...` for each line of conntrack -L. */
function conntrackList(family: string, ...args: string[]): string[] {
  const output = run('sh', '-c', 'conntrack -L -f "$@" 2>/dev/null', 'sh', family, ...args)
  return output
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const fields = line.replace(/\[\w+\]/g, '').split(/\s+/)
      return [fields[0], ...fields.filter((field) => /^(src|dst|sport|dport|id|type|code|packets|bytes|mark|zone)=/.test(field))].join(' ')
    })
}

const NAMES: Record<number, string> = { 1: 'icmp', 6: 'tcp', 17: 'udp', 58: 'icmpv6', 132: 'sctp' }

function asConntrackLine(flow: Flow): string {
  const direction = (name: 'original' | 'reply'): string => {
    const { source, destination, sourcePort, destinationPort, icmpId, icmpType, icmpCode } = flow[name]
    const ends = icmpId === undefined ? `sport=${sourcePort} dport=${destinationPort}` : `type=${icmpType} code=${icmpCode} id=${icmpId}`
    const counters = flow.counters?.[name]
    return `src=${source} dst=${destination} ${ends}${counters === undefined ? '' : ` packets=${counters.packets} bytes=${counters.bytes}`}`
  }
  return `${NAMES[flow.original.protocol]} ${direction('original')} ${direction('reply')} mark=${flow.mark}`
}
