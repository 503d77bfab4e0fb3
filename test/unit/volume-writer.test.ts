import { describe, expect, it } from 'vitest'
import type { Volume } from '../../src/controller/volumes/volume.js'
import { readWriter, releaseWriter, takeWriter } from '../../src/controller/volumes/writer.js'
import { memory } from '../../src/store/memory.js'

describe('the write lease of a volume that several hosts reach', () => {
  const shared = memory()
  /** The same volume as the controller of a host has it; each has a store of its own besides. */
  const on = (node: string): Volume => {
    const [record, own] = [{ name: 'data', driver: 'global' }, memory()]
    const volumes = { node, leaseStore: (scope: string) => (scope === 'global' ? shared : own) }
    return { record, name: 'data', scope: 'global', storage: 'data', core: { instance: 'cnm', volumes } } as unknown as Volume
  }
  const [a, b] = [on('a'), on('b')]

  it('has one of all that ask at once, on whatever host', async () => {
    const asked = [a, b].flatMap((volume) => [1, 2, 3, 4, 5].map((n) => takeWriter(volume, `consumer-${volume.core.volumes.node}-${n}`)))
    const holders = await Promise.all(asked)
    expect(holders.filter((holder) => holder === undefined)).toHaveLength(1)
    const { record } = (await readWriter(a))!
    for (const holder of holders.filter((each) => each !== undefined)) expect(holder).toEqual(record)
    await releaseWriter(record.node === 'a' ? a : b, record.consumer)
  })

  it('is given back by its holder alone, or by hand for a host that is gone', async () => {
    expect(await takeWriter(a, 'job')).toBeUndefined()
    expect(await takeWriter(a, 'job')).toBeUndefined()
    expect(await takeWriter(b, 'job')).toMatchObject({ node: 'a', consumer: 'job' })
    await releaseWriter(b, 'job')
    await releaseWriter(a, 'other')
    expect((await readWriter(b))?.record.node).toBe('a')
    await releaseWriter(b, 'job', true)
    expect(await takeWriter(b, 'job')).toBeUndefined()
    await releaseWriter(b, 'job')
    expect(await readWriter(a)).toBeUndefined()
  })
})
