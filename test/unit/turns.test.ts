import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { Turns } from '../../src/controller/turns.js'

it('lets one that comes alone go on at once, and spreads many over turns, in their order', async () => {
  const turns = new Turns()
  const order: number[] = []
  const all = Array.from({ length: 30 }, async (_, i) => {
    await turns.take()
    order.push(i)
  })
  const counts: number[] = []
  for (let turn = 0; turn < 6; turn++) {
    await Promise.resolve()
    counts.push(order.length)
    await nextTurn()
  }
  expect(counts[0]).toBe(8)
  for (let turn = 1; turn < counts.length; turn++) expect(counts[turn]! - counts[turn - 1]!).toBeLessThanOrEqual(8)
  await Promise.all(all)
  expect(order).toEqual(Array.from({ length: 30 }, (_, i) => i))
})

it('begins to count anew in each turn', async () => {
  const turns = new Turns()
  for (let turn = 0; turn < 5; turn++) {
    let taken = 0
    for (let i = 0; i < 8; i++) void turns.take().then(() => taken++)
    await Promise.resolve()
    await Promise.resolve()
    expect(taken).toBe(8)
    await nextTurn()
    await nextTurn()
  }
})
