import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Kernel, type Fault } from 'libcnm/kernel'
import { beforeAll, describe, expect, it } from 'vitest'
import type { CnmError } from '../../src/contracts/errors.js'
import { leftBehind, takeCensus, type Census } from '../census.js'
import { needs, needsPrivileges, skipping } from '../tools.js'
import { NEW, OLD, operations, PARAMETERS, prepare, vlans } from './undo-scenario.js'

const EIO = 5

interface State {
  host: Census
  old: Census
  parameters: Record<string, string>
  /** Which namespace the path leads to. */
  oldNamespace: number
}

const parameters = (): Record<string, string> =>
  Object.fromEntries(PARAMETERS.map((path) => [path, readFileSync(`/proc/sys/${path}`, 'utf8').trim()]))

if (!vlans) skipping('undo of bridge VLANs: this kernel has no VLAN filtering')

describe.skipIf(needsPrivileges() ?? needs('ip', 'bridge', 'nft', 'mount', 'nsenter'))('a transaction that fails', () => {
  let before: State
  beforeAll(async () => {
    prepare()
    // The multicast membership of a new address comes later, by up to some seconds.
    const joined = (): boolean =>
      execFileSync('bridge', ['fdb', 'show', 'dev', 'udown'], { encoding: 'utf8' }).includes('33:33:ff:00:00:01')
    for (let tries = 0; !joined() && tries < 100; tries++) await sleep(100)
    // A thread that was here before: what it makes once and for all is not counted.
    await using kernel = await Kernel.open()
    await kernel.list('host', ['link'])
    before = { host: await takeCensus(), old: await takeCensus(OLD), parameters: parameters(), oldNamespace: statSync(OLD).ino }
  })

  async function differences(): Promise<unknown> {
    // The census itself opens descriptors while it runs; those of the thread are counted in another test.
    const [host, old] = await Promise.all([
      leftBehind(before.host, { except: ['descriptors', 'processes'] }),
      leftBehind(before.old, { netns: OLD, except: ['descriptors', 'processes'] }),
    ])
    return { host, old, parameters: parameters(), oldNamespace: statSync(OLD).ino, new: existsSync(NEW) }
  }

  async function fails(i: number, when: Fault['when']): Promise<void> {
    const kernel = await Kernel.open({ fault: { operation: i + 1, errno: EIO, when } })
    const error = await kernel.transaction(operations).then(
      () => undefined,
      (thrown: unknown) => thrown as CnmError,
    )
    expect(error?.message).toMatch(/: injected by a test \(EIO\)$/)
    expect(error).toMatchObject({ code: 'ERR_CNM_KERNEL', errnoName: 'EIO', operationIndex: i })
    expect(await differences()).toEqual({ host: [], old: [], parameters: before.parameters, oldNamespace: before.oldNamespace, new: false })
    await kernel.close()
  }

  // To fail after one operation and before the next comes to the same.
  for (const [i, operation] of operations.entries()) {
    const { kind } = operation.do === 'change' ? operation.to : operation.object
    it(`after operation ${i} (${operation.do} ${kind}) leaves the kernel as it was`, () => fails(i, 'after'))
  }

  it('before its last operation leaves the kernel as it was', () => fails(operations.length - 1, 'before'))

  it('is the same one that succeeds otherwise, and does what it says', async () => {
    await using kernel = await Kernel.open()
    await kernel.transaction(operations)
    const show = (...args: string[]): string => execFileSync('ip', args, { encoding: 'utf8' })
    expect(existsSync(OLD)).toBe(false)
    expect(show('-o', 'link', 'show', 'uveth')).toMatch(/mtu 1350/)
    expect(show('-o', 'link', 'show', 'ubr')).toMatch(/mtu 1300.*alias ours/s)
    expect(show('-o', 'address', 'show', 'dev', 'ubr')).toMatch(/10\.30\.0\.77\/24/)
    expect(show('-netns', 'undo-new', 'route')).toMatch(/default via 10\.30\.0\.1/)
    expect(show('rule')).toMatch(/3001.*fwmark 0x1f.*301/)
    expect(show('-o', 'link')).not.toMatch(/old-/)
    const ruleset = execFileSync('nft', ['list', 'ruleset'], { encoding: 'utf8' })
    expect(ruleset).not.toMatch(/table ip uold|chain loose/)
    expect(ruleset).toMatch(/table inet unew/)
    expect(ruleset).toMatch(/elements = \{ 81 : accept, 443 : drop \}/)
  })
})
