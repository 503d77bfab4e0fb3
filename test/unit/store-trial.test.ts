import { expect, it } from 'vitest'
import type { ClusterStore } from '../../src/contracts/store.js'
import { memory } from '../../src/store/memory.js'
import { TrialStore } from '../../src/store/trial.js'

/** A store with three records, and a trial on it. */
async function scene(): Promise<{ real: ClusterStore; trial: TrialStore }> {
  const real = memory({ scope: 'global' }) as ClusterStore
  await real.commit([
    { put: 'a/1', value: 1 },
    { put: 'a/3', value: 3 },
    { put: 'b/1', value: 1 },
  ])
  return { real, trial: new TrialStore(real) }
}

it('shows what is there with what is changed in it, in order', async () => {
  const { real, trial } = await scene()
  await trial.commit([{ put: 'a/2', value: { two: true } }, { delete: 'a/1' }, { put: 'a/3', value: 4 }])
  const shown = async (options?: object): Promise<[string, unknown][]> =>
    (await trial.list('a/', options)).map(({ key, value }) => [key, value])
  expect(await shown()).toEqual([
    ['a/2', { two: true }],
    ['a/3', 4],
  ])
  expect(await shown({ limit: 1 })).toEqual([['a/2', { two: true }]])
  expect(await shown({ after: 'a/2' })).toEqual([['a/3', 4]])
  expect(await trial.get('a/1')).toBeUndefined()
  expect((await trial.get('b/1'))?.value).toBe(1)
  expect((await real.list('')).map(({ key, value }) => [key, value])).toEqual([
    ['a/1', 1],
    ['a/3', 3],
    ['b/1', 1],
  ])
})

it('refuses what the store would refuse, whole', async () => {
  const { trial } = await scene()
  const conflict = { code: 'ERR_CNM_STORE_CONFLICT', object: 'a/1' }
  await expect(
    trial.commit([
      { put: 'a/2', value: 2 },
      { put: 'a/1', value: 2, expect: 'absent' },
    ]),
  ).rejects.toMatchObject(conflict)
  expect(await trial.get('a/2')).toBeUndefined()
  const version = (await trial.get('a/1'))!.version
  const versions = await trial.commit([{ put: 'a/1', value: 2, expect: version }])
  await expect(trial.commit([{ delete: 'a/1', expect: version }])).rejects.toMatchObject(conflict)
  await trial.commit([{ delete: 'a/1', expect: versions.get('a/1')! }])
  await trial.commit([{ put: 'a/1', value: 3, expect: 'absent' }])
})

it('hands out copies', async () => {
  const { trial } = await scene()
  await trial.commit([{ put: 'a/2', value: { list: [1] } }])
  ;((await trial.get('a/2'))!.value as { list: number[] }).list.push(2)
  expect((await trial.get('a/2'))?.value).toEqual({ list: [1] })
})

it('tells a follower what there is, and ends', async () => {
  const { trial } = await scene()
  await trial.commit([{ delete: 'a/1' }])
  const events = []
  for await (const { put, deleted } of trial.follow('a/')) events.push([put.map(({ key }) => key), deleted])
  expect(events).toEqual([[['a/3'], []]])
})
