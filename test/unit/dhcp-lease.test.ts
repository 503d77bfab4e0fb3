import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { LiveLease, type Exchanges } from '../../drivers/dhcp/lease.js'
import type { Terms } from '../../drivers/dhcp/terms.js'
import { CnmError, type Lease } from '../../src/contracts/index.js'

/** A DHCP client whose servers say what the test says; time is the test's too. */
class Script implements Exchanges {
  readonly calls: string[] = []
  /** Last digits of addresses, or what goes wrong. */
  obtains: (number | Error)[] = []
  extends: Awaited<ReturnType<Exchanges['extend']>>[] = []
  confirms: Awaited<ReturnType<Exchanges['confirm']>>
  held = false

  obtain: Exchanges['obtain'] = async (wanted) => {
    this.calls.push(`${at()} obtain ${wanted ?? 'any'}`)
    const next = this.obtains.shift() ?? new CnmError('ERR_CNM_TIMEOUT', 'no DHCP server answers')
    if (!(next instanceof Error)) return terms(next)
    await new Promise((resolve) => setTimeout(resolve, 1000))
    throw next
  }
  extend: Exchanges['extend'] = async (_terms, ask, time) => {
    this.calls.push(`${at()} extend by ${ask}`)
    const next = this.extends.shift()
    if (next === undefined) await new Promise((resolve) => setTimeout(resolve, time))
    return next
  }
  confirm: Exchanges['confirm'] = async (address) => {
    this.calls.push(`${at()} confirm ${address}`)
    return this.confirms
  }
  holds: Exchanges['holds'] = async () => this.held
}

const at = (): number => performance.now() / 1000
const terms = (last: number): Terms => {
  const time = (seconds: number): number => performance.now() + seconds * 1000
  const address = `10.0.0.${last}`
  return { address, prefix: 24, server: '10.0.0.1', serverMac: '02:00:00:00:00:01', renew: time(50), rebind: time(80), expires: time(100) }
}

describe('a lease', () => {
  const end = new AbortController()
  let script: Script
  let changes: string[]
  const live = (given: Partial<Lease> = {}): LiveLease =>
    new LiveLease(
      script,
      { pool: 'p', owner: 'o', address: '', ...given },
      {
        namespace: '/run/netns/x',
        link: 'eth0',
        mac: '02:00:00:00:00:02',
        signal: end.signal,
        changed: (lease) => changes.push(`${at()} ${lease?.address ?? 'lost'}`),
      },
    )

  beforeEach(() => {
    vi.useFakeTimers({ now: 0 })
    script = new Script()
    changes = []
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('is renewed by its server, then by anybody, and lost at its end; then there is another', async () => {
    script.obtains = [2, new CnmError('ERR_CNM_TIMEOUT', 'nobody'), 3]
    expect(await live().acquire()).toMatchObject({ address: '10.0.0.2/24', expires: 100_000 })
    await vi.advanceTimersByTimeAsync(102_000)
    expect(script.calls).toEqual([
      '0 obtain any',
      '50 extend by server',
      '80 extend by anybody',
      '100 obtain 10.0.0.2',
      '101 obtain 10.0.0.2',
    ])
    expect(changes).toEqual(['100 lost', '101 10.0.0.3/24'])
  })

  it.each([
    ['forward', 86_400_000],
    ['back', -86_400_000],
  ])('does not depend on a clock that is set %s', async (_direction, by) => {
    script.obtains = [2]
    script.extends = [{ ...terms(2), renew: 90_000 }]
    await live().acquire()
    vi.setSystemTime(Date.now() + by)
    await vi.advanceTimersByTimeAsync(51_000)
    expect([script.calls, changes]).toEqual([['0 obtain any', '50 extend by server'], ['50 10.0.0.2/24']])
  })

  it('that is refused is lost at once', async () => {
    script.obtains = [2, 3]
    script.extends = ['refused']
    await live().acquire()
    await vi.advanceTimersByTimeAsync(51_000)
    expect(changes).toEqual(['50 lost', '50 10.0.0.3/24'])
  })

  it('of before is confirmed, or used on while no server answers and the interface has it', async () => {
    const data = { server: '10.0.0.1', serverMac: '02:00:00:00:00:01', renew: '50000', rebind: '80000' }
    const before: Partial<Lease> = { address: '10.0.0.9/24', expires: 100_000, data }
    script.confirms = terms(9)
    expect((await live(before).acquire()).address).toBe('10.0.0.9/24')
    script.confirms = undefined
    script.held = true
    expect(await live(before).acquire()).toMatchObject({ address: '10.0.0.9/24', expires: 100_000 })
    script.held = false
    script.obtains = [4]
    expect((await live(before).acquire()).address).toBe('10.0.0.4/24')
  })

  it('that could not be had after a restart is tried for until there is one, and not after its end', async () => {
    const acquired = live().acquire()
    acquired.catch(() => undefined)
    await vi.advanceTimersByTimeAsync(1000)
    await expect(acquired).rejects.toMatchObject({ code: 'ERR_CNM_TIMEOUT' })
    script.obtains = [5]
    await vi.advanceTimersByTimeAsync(11_000)
    expect(changes).toEqual(['11 10.0.0.5/24'])
    const asked = script.calls.length
    end.abort()
    await vi.advanceTimersByTimeAsync(500_000)
    expect(script.calls).toHaveLength(asked)
  })
})
