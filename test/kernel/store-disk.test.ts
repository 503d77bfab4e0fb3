import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { lmdb } from '../../src/store/lmdb.js'

let disk: string
let directory: string
beforeEach(() => {
  disk = mkdtempSync(join(tmpdir(), 'disk-'))
  directory = join(disk, 'store')
})
afterEach(() => {
  execFileSync('umount', [disk])
  rmSync(disk, { recursive: true })
})

const mount = (options: string): void => void execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', disk])
const fillUp = (): void => {
  try {
    writeFileSync(join(disk, 'ballast'), Buffer.alloc(64 << 20))
  } catch (error) {
    expect(error).toMatchObject({ code: 'ENOSPC' })
  }
}

describe('a full disk', () => {
  it('makes commits fail, each with the reason, and nothing of them is there; with room again they succeed', async () => {
    mount('size=2m')
    const store = await lmdb({ directory })
    await store.commit([{ put: 'k', value: 'before' }])
    fillUp()
    const big = 'b'.repeat(300_000)
    const failures = await Promise.allSettled(
      [0, 1, 2].map((n) =>
        store.commit([
          { put: 'k', value: n },
          { put: `big/${n}`, value: big },
        ]),
      ),
    )
    for (const failure of failures) {
      expect(failure).toMatchObject({ status: 'rejected', reason: { code: 'ERR_CNM_STORE', errnoName: 'ENOSPC', operation: 'commit' } })
    }
    expect((failures[0] as PromiseRejectedResult).reason.message).toContain('make room, then repeat (ENOSPC)')
    expect((await store.list('')).map(({ key, value }) => [key, value])).toEqual([['k', 'before']])
    await expect(store.commit([{ put: 'k', value: big, expect: 'absent' }], { durable: true })).rejects.toMatchObject({
      code: 'ERR_CNM_STORE',
    })
    rmSync(join(disk, 'ballast'))
    await store.commit([
      { put: 'k', value: 'after' },
      { put: 'big', value: big },
    ])
    await store.close()
    const again = await lmdb({ directory })
    expect((await again.list('')).map(({ key }) => key)).toEqual(['big', 'k'])
    expect((await again.get('k'))?.value).toBe('after')
    await again.close()
  })

  it('makes the first opening fail, and leaves nothing that a second would stumble over', async () => {
    mount('size=2m')
    mkdirSync(directory)
    fillUp()
    await expect(lmdb({ directory })).rejects.toMatchObject({ code: 'ERR_CNM_STORE', errnoName: 'ENOSPC' })
    expect(readdirSync(directory)).toEqual([])
    rmSync(join(disk, 'ballast'))
    await (await lmdb({ directory })).close()
  })
})

describe('a read-only file system', () => {
  it('refuses to open, with the reason', async () => {
    mount('size=2m')
    execFileSync('mount', ['-o', 'remount,ro', disk])
    const failure = lmdb({ directory })
    await expect(failure).rejects.toMatchObject({ code: 'ERR_CNM_STORE', errnoName: 'EROFS', operation: 'open' })
    await expect(failure).rejects.toThrow('the file system is read-only (EROFS)')
  })

  it('refuses to open a store that is there', async () => {
    mount('size=2m')
    await (await lmdb({ directory })).close()
    execFileSync('mount', ['-o', 'remount,ro', disk])
    await expect(lmdb({ directory })).rejects.toMatchObject({ code: 'ERR_CNM_STORE', errnoName: 'EROFS' })
  })
})
