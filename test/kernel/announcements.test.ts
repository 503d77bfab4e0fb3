import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Controller, type Network, type Sandbox } from 'libcnm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { leftBehind, takeCensus, type Census } from '../census.js'
import { needs, needsPrivileges } from '../tools.js'

const COUNT = 'com.docker.network.advertise_addr_nmsgs'
const INTERVAL = 'com.docker.network.advertise_addr_ms'
const read = async (capture: ChildProcess, done: (text: string) => boolean): Promise<string> => {
  let text = ''
  for await (const chunk of capture.stdout!) {
    text += String(chunk)
    if (done(text)) break
  }
  return text
}
const times = (text: string, words: string): number => text.split(words).length - 1

describe.skipIf(needsPrivileges() ?? needs('tcpdump', 'ip'))('addresses of an endpoint that joins', () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'cnm-'))
  let controller: Controller
  let network: Network
  let witness: Sandbox
  let before: Census

  beforeAll(async () => {
    controller = await Controller.open({ stateDir, instance: 'announce' })
    const options = { [INTERVAL]: '100' }
    const ipam = { pools: [{ subnet: '10.78.0.0/24' }, { subnet: 'fd78::/64' }] }
    network = await controller.createNetwork({ name: 'n', enableIPv6: true, options, ipam })
    // What is kept for the next sandbox and program is there from the first one on.
    const first = await controller.createSandbox({ name: 'first' })
    await first.connect(network)
    await first.run('true')
    await first.delete()
    before = await takeCensus()
    witness = await controller.createSandbox({ name: 'witness' })
    await witness.connect(network)
  })
  afterAll(async () => {
    for (const sandbox of controller.sandboxes.list()) await sandbox.delete()
    expect(await leftBehind(before)).toEqual([])
    await network.delete()
    await controller.close()
    rmSync(stateDir, { recursive: true, force: true })
  })

  let attempt = 0
  /** What the witness sees of a joining endpoint's own ARP requests and advertisements, until `done`. */
  async function seen(count: string, done: (text: string, address: string) => boolean): Promise<{ text: string; address: string }> {
    const capture = await witness.spawn('tcpdump', ['-l', '-n', '-i', 'eth0', 'arp or icmp6'])
    await once(capture.stderr!, 'data')
    const sandbox = await controller.createSandbox({ name: `s${count}-${attempt++}` })
    const [four, six] = (await sandbox.connect(network, { options: { [COUNT]: count } })).addresses.map((each) => each.split('/')[0]!)
    // The last thing that it says: whatever it announced before has been seen by then.
    const address = four!
    const ended = read(capture, (text) => done(text, address))
    await sandbox.run('ping', ['-c1', '-W1', '10.78.0.99'])
    const text = await ended
    capture.kill()
    await sandbox.delete()
    expect(six).toMatch(/^fd78::/)
    return { text, address }
  }
  const own = (address: string): string => `who-has ${address} tell ${address}`
  const asked = (text: string, address: string): boolean => text.includes(`who-has 10.78.0.99 tell ${address}`)

  // The queue of packets is one for all namespaces: when other tests fill it, one is missed, and another endpoint must do.
  it('are announced as often as the option says, the first time before the join returns', { retry: 5, timeout: 10_000 }, async () => {
    const { text, address } = await seen('3', (sofar, address) => times(sofar, own(address)) >= 3 && asked(sofar, address))
    expect(text.indexOf(own(address))).toBeLessThan(text.indexOf(`who-has 10.78.0.99 tell ${address}`))
    expect(times(text, own(address))).toBe(3)
    expect(times(text, 'neighbor advertisement')).toBeGreaterThanOrEqual(3)
  })

  it('are not announced when the option says so', async () => {
    const { text, address } = await seen('0', asked)
    expect(times(text, own(address))).toBe(0)
  })
})
