/**
 * Addresses per second, and memory.
 *
 *     node --expose-gc --import tsx bench/ipam/run.ts
 *
 * "set" is the data structure by itself; "lease" is requestAddress() of the driver on a store. Seconds are of the
 * processor (user and system), so that other work on the machine does not count, except where a disk is waited for.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AddressSet } from '../../drivers/ipam/address-set.js'
import { ipam } from '../../drivers/ipam/index.js'
import { PrefixTree } from '../../drivers/ipam/prefix-tree.js'
import { Subnet } from '../../drivers/ipam/subnet.js'
import type { Store } from '../../src/contracts/store.js'
import { lmdb } from '../../src/store/lmdb.js'
import { memory } from '../../src/store/memory.js'

const processorSeconds = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

function memoryBytes(): number {
  globalThis.gc?.()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

function report(what: string, count: number, seconds: number, bytes?: number): void {
  const rate = count / seconds
  const memoryText = bytes === undefined ? '' : `  ${(bytes / 1e6).toFixed(2).padStart(8)} MB`
  console.log(`${what.padEnd(52)} ${Math.round(rate).toLocaleString('en').padStart(12)} /s${memoryText}`)
}

function fillSet(name: string, bits: number): AddressSet {
  const before = memoryBytes()
  const set = new AddressSet(1n << BigInt(bits))
  const start = processorSeconds()
  let count = 0
  for (let offset = set.nextFree(0n); offset !== undefined; offset = set.nextFree(0n)) {
    set.add(offset)
    count++
  }
  report(`set: ${name}, filled completely`, count, processorSeconds() - start, memoryBytes() - before)
  return set
}

function halfFull(name: string, bits: number): void {
  const before = memoryBytes()
  const size = 1n << BigInt(bits)
  const set = new AddressSet(size)
  const start = processorSeconds()
  for (let offset = 0n; offset < size; offset += 2n) set.add(offset)
  report(`set: ${name}, every other address (the most memory)`, set.count, processorSeconds() - start, memoryBytes() - before)
}

function sparse(count: number): void {
  const offsets = Array.from(
    { length: count },
    () => (BigInt(Math.floor(Math.random() * 2 ** 32)) << 32n) | BigInt(Math.floor(Math.random() * 2 ** 32)),
  )
  const before = memoryBytes()
  const set = new AddressSet(1n << 64n)
  const start = processorSeconds()
  for (const offset of offsets) set.add(offset)
  report(`set: /64 with ${count.toLocaleString('en')} random addresses`, set.count, processorSeconds() - start, memoryBytes() - before)
}

function takeAndFree(): void {
  const subnet = new Subnet({ family: 4, start: 0x0a000000n, length: 8 })
  const ranges = [{ first: 0x0a000000n, last: 0x0affffffn }]
  const count = 2_000_000
  const start = processorSeconds()
  for (let index = 0; index < count; index++) {
    const address = subnet.nextFree(ranges)!
    subnet.take(address)(true)
    if (index % 2 === 0) subnet.mark(address, false)
  }
  report('subnet: /8, take one, free every other', count, processorSeconds() - start)
}

function freeSubnets(): void {
  const tree = new PrefixTree<number>(4)
  const base = { family: 4, start: 0x0a000000n, length: 8 } as const
  const start = processorSeconds()
  let count = 0
  for (let found = tree.findFree(base, 24); found !== undefined; found = tree.findFree(base, 24)) tree.add(found, count++)
  report('pools: all /24 of a /8, one after the other', count, processorSeconds() - start)
}

async function leases(name: string, store: Store, count: number, atOnce: number, subnet: string): Promise<void> {
  const driver = ipam({ store })
  const { id } = await driver.requestPool({ space: 'local', owner: 'bench', family: 4, subnet })
  const [start, wall] = [processorSeconds(), performance.now()]
  for (let given = 0; given < count; given += atOnce) {
    await Promise.all(Array.from({ length: atOnce }, () => driver.requestAddress({ pool: id, owner: 'bench', purpose: 'endpoint' })))
  }
  const wallSeconds = (performance.now() - wall) / 1000
  report(`lease: ${name}, ${atOnce} at once`, count, name === 'memory' ? processorSeconds() - start : wallSeconds)
}

if (globalThis.gc === undefined) console.log('without --expose-gc the memory is not exact')
const kept = [fillSet('/8', 24), fillSet('/16', 16)]
halfFull('/8', 24)
sparse(100_000)
takeAndFree()
freeSubnets()
const inMemory = memory()
await leases('memory', inMemory, 50_000, 100, '10.0.0.0/8')
const directory = await mkdtemp(join(tmpdir(), 'bench-ipam-'))
try {
  const onDisk = await lmdb({ directory })
  await leases('LMDB', onDisk, 500, 1, '10.0.0.0/8')
  await leases('LMDB', onDisk, 20_000, 100, '11.0.0.0/8')
  const start = performance.now()
  const { used } = await ipam({ store: onDisk }).status!('local/11.0.0.0-8')
  report('lease: LMDB, read when the driver starts', Number(used), (performance.now() - start) / 1000)
  await onDisk.close()
} finally {
  await rm(directory, { recursive: true })
}
console.log(`addresses held by the sets: ${kept.reduce((sum, set) => sum + set.count, 0).toLocaleString('en')}`)
