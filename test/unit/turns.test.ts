import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { Turns } from '../../src/controller/turns.js'

const MOST = 8

/** How many have had their turn after each turn of the event loop. */
async function countsOf(order: readonly number[], turns: number): Promise<number[]> {
  const counts: number[] = []
  for (let turn = 0; turn < turns; turn++) {
    counts.push(order.length)
    await nextTurn()
  }
  return counts
}

/** Time that passes only where a test says so. */
let time = 0
const turnsOfTest = (): Turns => new Turns(() => time)

it('lets one that comes alone go on at once, and spreads many over turns, in their order', async () => {
  const turns = turnsOfTest()
  const order: number[] = []
  const all = Array.from({ length: 30 }, async (_, i) => {
    await turns.take()
    order.push(i)
  })
  await Promise.resolve()
  const counts = await countsOf(order, 6)
  expect(counts[0]).toBe(MOST)
  for (let turn = 1; turn < counts.length; turn++) expect(counts[turn]! - counts[turn - 1]!).toBeLessThanOrEqual(MOST)
  await Promise.all(all)
  expect(order).toEqual(Array.from({ length: 30 }, (_, i) => i))
})

it('lets fewer go on where each takes long', async () => {
  const turns = turnsOfTest()
  const order: number[] = []
  const all = Array.from({ length: 20 }, async (_, i) => {
    await turns.take()
    order.push(i)
    if (i >= MOST) time += 1.1
  })
  await Promise.resolve()
  const counts = await countsOf(order, 8)
  expect(counts[0]).toBe(MOST)
  for (let turn = 1; turn < counts.length; turn++) expect(counts[turn]! - counts[turn - 1]!).toBeLessThanOrEqual(2)
  await Promise.all(all)
  expect(order).toEqual(Array.from({ length: 20 }, (_, i) => i))
})

it('begins to count anew in each turn', async () => {
  const turns = turnsOfTest()
  for (let turn = 0; turn < 5; turn++) {
    let taken = 0
    for (let i = 0; i < MOST; i++) void turns.take().then(() => taken++)
    await Promise.resolve()
    await Promise.resolve()
    expect(taken).toBe(MOST)
    await nextTurn()
    await nextTurn()
  }
})
