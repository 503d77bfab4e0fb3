import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Controller } from 'libcnm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { needs, needsPrivileges } from '../tools.js'

const ip = (...args: string[]): void => void execFileSync('ip', args)

describe.skipIf(needsPrivileges() ?? needs('ip', 'mount'))('subnets that are chosen', () => {
  const directory = mkdtempSync(join(tmpdir(), 'cnm-'))
  let controller: Controller

  beforeAll(async () => {
    ip('link', 'add', 'pools0', 'type', 'bridge')
    ip('link', 'set', 'pools0', 'up')
    ip('addr', 'add', '10.90.0.1/26', 'dev', 'pools0')
    ip('route', 'add', '10.90.0.192/26', 'via', '10.90.0.2')
    const resolvConf = join(directory, 'resolv.conf')
    writeFileSync(resolvConf, 'nameserver 10.90.0.70\nnameserver fe80::1%pools0\n')
    execFileSync('mount', ['--bind', resolvConf, '/etc/resolv.conf'])
    controller = await Controller.open({
      stateDir: directory,
      instance: 'pools',
      defaultPools: [{ base: '10.90.0.0/24', size: 26 }],
    })
  })
  afterAll(async () => {
    await controller.close()
    execFileSync('umount', ['/etc/resolv.conf'])
    ip('link', 'del', 'pools0')
    rmSync(directory, { recursive: true })
  })

  it('avoid what the host has on-link and its name servers, not what it reaches through a gateway; what is in the way is named', async () => {
    const first = await controller.createNetwork({ name: 'first' })
    expect(first.subnets).toEqual(['10.90.0.128/26'])
    const second = await controller.createNetwork({ name: 'second' })
    expect(second.subnets).toEqual(['10.90.0.192/26'])
    const error = await controller.createNetwork({ name: 'third' }).then(
      () => undefined,
      (reason: unknown) => reason as { code: string; message: string },
    )
    expect(error?.code).toBe('ERR_CNM_POOLS_EXHAUSTED')
    for (const obstacle of [first.id, second.id, '10.90.0.0-10.90.0.63', '10.90.0.70-10.90.0.70'])
      expect(error?.message).toContain(obstacle)
    await second.delete()
    await first.delete()
  })
})
