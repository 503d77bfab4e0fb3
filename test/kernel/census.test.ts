import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { closeSync, mkdirSync, openSync, rmdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { leftBehind, takeCensus } from '../census.js'
import { needs } from '../tools.js'

const run = (command: string): Buffer => execFileSync('sh', ['-c', `PATH=$PATH:/usr/sbin:/sbin; ${command}`])

/** Every kind of thing that a test can leave behind: how to leave it, how to take it away. */
const LEAVABLE = [
  { kind: 'links', tools: ['ip'], leave: 'ip link add left type bridge', remove: 'ip link delete left' },
  { kind: 'addresses', tools: ['ip'], leave: 'ip addr add 192.0.2.1/32 dev lo', remove: 'ip addr del 192.0.2.1/32 dev lo' },
  { kind: 'routes', tools: ['ip'], leave: 'ip route add 192.0.2.0/24 dev lo table 7', remove: 'ip route del 192.0.2.0/24 table 7' },
  { kind: 'routes', tools: ['ip'], leave: 'ip -6 rule add fwmark 7 table 7', remove: 'ip -6 rule del fwmark 7' },
  { kind: 'firewall', tools: ['nft'], leave: 'nft add table inet left', remove: 'nft delete table inet left' },
  { kind: 'mounts', tools: [], leave: 'mount -t tmpfs tmpfs /var/lib', remove: 'umount /var/lib' },
  { kind: 'namespaces', tools: ['ip'], leave: 'ip netns add left', remove: 'ip netns delete left' },
]

describe('census', () => {
  it('sees no difference where nothing was left', async () => {
    expect(await leftBehind(await takeCensus())).toEqual([])
  })

  for (const { kind, tools, leave, remove } of LEAVABLE) {
    it.skipIf(needs(...tools))(`sees what "${leave}" leaves`, async () => {
      mkdirSync('/run/netns', { recursive: true })
      const before = await takeCensus()
      run(leave)
      const left = await leftBehind(before, { within: 0 })
      run(remove)
      expect(left.map((line) => line.split(' ').slice(0, 2).join(' '))).toContain(`+ ${kind}`)
      expect(await leftBehind(before)).toEqual([])
    })
  }

  it('sees an open descriptor', async () => {
    const before = await takeCensus()
    const fd = openSync('/proc/self/ns/net', 'r')
    const left = await leftBehind(before, { within: 0 })
    closeSync(fd)
    expect(left).toEqual(['+ descriptors net'])
    expect(await leftBehind(before)).toEqual([])
  })

  it('sees a child that goes on', async () => {
    const before = await takeCensus()
    const child: ChildProcess = spawn('sleep', ['60'], { stdio: 'ignore' })
    const left = await leftBehind(before, { within: 0 })
    child.kill()
    expect(left).toContain('+ processes sleep')
    expect(await leftBehind(before)).toEqual([])
  })

  it('names a file left in /run/netns', async () => {
    const before = await takeCensus()
    mkdirSync('/run/netns/left')
    const left = await leftBehind(before, { within: 0 })
    rmdirSync('/run/netns/left')
    expect(left).toEqual(['+ namespaces left'])
  })
})
