import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Controller } from 'libcnm'
import { expect, describe, it } from 'vitest'
import { needs, needsPrivileges } from '../tools.js'

const nft = (...args: string[]): string => execFileSync('nft', args, { encoding: 'utf8' })
const load = (text: string): string => execFileSync('nft', ['-f', '-'], { input: text, encoding: 'utf8' })

describe.skipIf(needsPrivileges() ?? needs('nft'))('what users put into the table', () => {
  it('stays through changes, repair, collection and restarts; what nobody owns goes', async () => {
    const stateDir = mkdtempSync(join(tmpdir(), 'cnm-'))
    const open = (): Promise<Controller> => Controller.open({ stateDir, instance: 'mine' })
    let controller = await open()
    try {
      const network = await controller.createNetwork({ name: 'front', options: { macspoofchk: 'true' } })
      load(`table inet mine {
        set user-offices { type ipv4_addr; elements = { 203.0.113.7 }; }
        set user-denied4 { type ipv4_addr; flags interval; elements = { 198.51.100.0/24 }; }
        set user-trusted6 { type ipv6_addr; flags interval; elements = { 2001:db8:7::/48 }; }
        chain user-ssh { tcp dport 22 accept; }
        chain user-forward { ip saddr @user-offices jump user-ssh; }
      }
`)
      const shown = (): string[] =>
        [
          ['set', 'user-denied4'],
          ['set', 'user-trusted6'],
          ['set', 'user-offices'],
          ['chain', 'user-ssh'],
          ['chain', 'user-forward'],
        ].map(([kind, name]) => nft('-s', 'list', kind!, 'inet', 'mine', name!))
      const own = shown()
      expect(own.join()).toMatch(/198\.51\.100\.0\/24[^]*2001:db8:7::\/48[^]*203\.0\.113\.7[^]*dport 22[^]*jump user-ssh/)
      // As a process leaves it that dies half-way, in both tables.
      nft('add', 'element', 'inet', 'mine', 'bridges', '{ "br-gone" comment "network/gone" }')
      nft('add', 'element', 'bridge', 'mine', 'macs-checked', '{ "veth-gone" comment "endpoint/gone" }')
      expect((await controller.collect()).objects).toHaveLength(2)
      expect(nft('list', 'ruleset')).not.toContain('-gone')
      expect(shown()).toEqual(own)
      await network.update({ options: { isolate: 'strict' } })
      await controller.createNetwork({ name: 'back' })
      await controller.repair()
      await controller.close()
      controller = await open()
      expect(await controller.check()).toEqual([])
      expect(shown()).toEqual(own)
    } finally {
      for (const network of controller.networks.list()) await network.delete()
      expect(nft('list', 'tables')).not.toContain('mine')
      await controller.close()
      rmSync(stateDir, { recursive: true, force: true })
    }
  })
})
