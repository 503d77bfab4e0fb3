import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Worker } from 'node:worker_threads'
import { DnsResolver, openResolverSockets } from 'libcnm/drivers/dns'
import { Kernel } from 'libcnm/kernel'
import { describe, expect, it } from 'vitest'
import { leftBehind, takeCensus } from '../census.js'
import { needs, needsPrivileges } from '../tools.js'
import { makeWorld, question, readReply, udpClient } from './dns-world.js'

const run = promisify(execFile)
const VIEW = { networks: ['n'], forwarding: { to: 'none' as const } }
const endpoint = (id: string, address: string) => ({ id, names: [id], addresses: [address] })

describe.skipIf(needsPrivileges() ?? needs('ip', 'nsenter'))("the resolver's thread", () => {
  it.skipIf(needs('dig'))('answers while the program is busy', async () => {
    const world = await makeWorld()
    world.resolver.putNetwork({ id: 'n', name: 'front', endpoints: [endpoint('web', '10.1.0.5')] })
    const { at } = await world.sandbox('busy', VIEW)
    expect(await world.inside(at, 'dig', ['@127.0.0.11', '+short', 'web'])).toBe('10.1.0.5\n')
    const asked = run('nsenter', [
      `--net=${at}`,
      'sh',
      '-c',
      'sleep 0.3; for i in 1 2 3; do dig @127.0.0.11 +tries=1 +time=1 web; done; date +%s%3N',
    ])
    const started = Date.now()
    await sleep(100)
    while (Date.now() - started < 3000);
    const { stdout } = await asked
    expect(stdout.match(/10\.1\.0\.5/g)).toHaveLength(3)
    // It was done before this thread was free again.
    expect(Number(stdout.trim().split('\n').at(-1))).toBeLessThan(started + 3000)
    await world.close()
  })

  it('shows every change to every question asked after it', async () => {
    const world = await makeWorld()
    world.resolver.putNetwork({ id: 'n', name: 'front', endpoints: [] })
    const { at } = await world.sandbox('order', VIEW)
    const client = await udpClient(world.kernel, at)
    for (let i = 0; i < 300; i++) {
      const put = [{ id: 'e', names: ['web', `name${i}`], addresses: [`10.1.${i >> 8}.${i & 255}`] }]
      world.resolver.changeNetwork({ id: 'n', put })
      const [web, named, gone] = await Promise.all([
        client.ask('web', 'A', { id: 1 }),
        client.ask(`name${i}`, 'A', { id: 2 }),
        client.ask(`name${i - 1}`, 'A', { id: 3 }),
      ])
      expect([web.answers[0]!.data, named.answers[0]!.data, gone.code]).toEqual([
        `10.1.${i >> 8}.${i & 255}`,
        `10.1.${i >> 8}.${i & 255}`,
        'SERVFAIL',
      ])
    }
    world.resolver.changeNetwork({ id: 'n', remove: ['e'] })
    expect((await client.ask('web', 'A')).code).toBe('SERVFAIL')
    world.resolver.putNetwork({ id: 'm', name: 'back', endpoints: [endpoint('db', '10.2.0.5')] })
    expect((await client.ask('db', 'A')).code).toBe('SERVFAIL')
    world.resolver.changeSandbox('order', { ...VIEW, networks: ['n', 'm'] })
    expect((await client.ask('db.back', 'A')).code).toBe('NOERROR')
    world.resolver.changeSandbox('order', VIEW)
    expect((await client.ask('db', 'A')).code).toBe('SERVFAIL')
    await client.close()
    await world.close()
  })

  it('closes everything it was given and made', async () => {
    const before = await takeCensus()
    const world = await makeWorld()
    world.resolver.putNetwork({ id: 'n', name: 'front', endpoints: [endpoint('web', '10.1.0.5')] })
    const places = [await world.sandbox('first', VIEW), await world.sandbox('second', VIEW)]
    const clients = await Promise.all(places.map(({ at }) => udpClient(world.kernel, at)))
    for (const client of clients) await client.ask('web', 'A')
    const open = readdirSync('/proc/self/fd').length
    await world.resolver.removeSandbox('first')
    expect(readdirSync('/proc/self/fd').length).toBe(open - 2)
    expect(await clients[0]!.exchange(question('web', 'A'), 300)).toBeUndefined()
    expect(readReply((await clients[1]!.exchange(question('web', 'A')))!).code).toBe('NOERROR')
    await world.resolver.removeSandbox('first')
    for (const client of clients) await client.close()
    await world.close()
    await world.resolver.close()
    expect(() => world.resolver.removeNetwork('n')).toThrowError(expect.objectContaining({ code: 'ERR_CNM_CLOSED' }))
    expect(await leftBehind(before)).toEqual([])
  })

  it('never starts without a sandbox', async () => {
    const before = readdirSync('/proc/self/task').length
    const resolver = new DnsResolver()
    resolver.putNetwork({ id: 'n', name: 'front', endpoints: [] })
    expect(await resolver.statistics()).toBeUndefined()
    expect(readdirSync('/proc/self/task').length).toBe(before)
    await resolver.close()
  })

  it('lets the process end, at once, whether by itself or by exit', async () => {
    for (const end of ['', 'process.exit(0)', 'throw new Error("on purpose")']) {
      const script = `
        import { DnsResolver, openResolverSockets } from 'libcnm/drivers/dns'
        import { Kernel } from 'libcnm/kernel'
        const kernel = await Kernel.open()
        const resolver = new DnsResolver()
        const { udp, tcp } = await openResolverSockets(kernel, 'host', 4)
        resolver.addSandbox({ id: 's', udp: [udp], tcp: [tcp], view: { networks: [], forwarding: { to: 'none' } } })
        await resolver.statistics()
        await kernel.close()
        console.log(Date.now())
        ${end}`
      const options = { timeout: 15_000 }
      const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], options).catch(
        (error: unknown) => error as { stdout: string },
      )
      const ended = Date.now()
      expect(ended - Number(stdout)).toBeGreaterThanOrEqual(0)
      expect(ended - Number(stdout)).toBeLessThan(900)
    }
  })

  it('is replaced when it dies, with everything it knew', async () => {
    const kernel = await Kernel.open()
    const faults: string[] = []
    const resolver = new DnsResolver({ onFault: (error) => faults.push(error.message) })
    resolver.putNetwork({ id: 'n', name: 'front', endpoints: [endpoint('web', '10.1.0.5')] })
    resolver.changeNetwork({ id: 'n', put: [endpoint('db', '10.1.0.6')] })
    const { udp, tcp, ports } = await openResolverSockets(kernel, 'host', 4)
    const started: Worker[] = []
    process.on('worker', (worker) => started.push(worker))
    resolver.addSandbox({ id: 's', udp: [udp], tcp: [tcp], view: VIEW })
    const client = await udpClient(kernel, 'host', { address: '127.0.0.11', port: ports.udp })
    expect((await client.ask('db', 'A')).lines).toEqual(['db 0 A 10.1.0.6'])
    expect(started).toHaveLength(1)
    await started[0]!.terminate()
    expect((await client.ask('db', 'A')).lines).toEqual(['db 0 A 10.1.0.6'])
    expect((await client.ask('web', 'A')).lines).toEqual(['web 0 A 10.1.0.5'])
    expect(started).toHaveLength(2)
    await client.close()
    await resolver.close()
    await kernel.close()
  })

  it('uses little for each of many sandboxes', async () => {
    const COUNT = 1000
    const before = await takeCensus()
    const kernel = await Kernel.open()
    const resolver = new DnsResolver()
    const networks = [...Array(20).keys()].map((i) => `n${i}`)
    for (const id of networks) resolver.putNetwork({ id, name: id, endpoints: [endpoint(`web-${id}`, '10.1.0.5')] })
    const add = async (i: number): Promise<void> => {
      const { udp, tcp } = await openResolverSockets(kernel, 'host', 4)
      resolver.addSandbox({ id: `s${i}`, udp: [udp], tcp: [tcp], view: { networks: [networks[i % 20]!], forwarding: { to: 'host' } } })
    }
    await add(0)
    await resolver.statistics()
    const start = (await resolver.statistics())!.memory.heapUsed
    for (let i = 1; i <= COUNT; i++) await add(i)
    const statistics = (await resolver.statistics())!
    const each = (statistics.memory.heapUsed - start) / COUNT
    console.log(`${each.toFixed(0)} bytes of heap for a sandbox`)
    expect(statistics.sandboxes).toBe(COUNT + 1)
    expect(each).toBeLessThan(6000)
    await resolver.close()
    await kernel.close()
    expect(await leftBehind(before)).toEqual([])
  })
})
