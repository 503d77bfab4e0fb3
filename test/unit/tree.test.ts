import { readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { sourceFiles } from '../source-files.js'

const LARGEST = 12 * 1024
const MEDIAN = 3 * 1024
const TEXT = /\.(ts|mts|cts|mjs|cjs|js|json|md|sh|c)$|^\.ci\/|^README/

/** Written apart, so that this file does not find itself. */
const UNFINISHED = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX', 'HA' + 'CK'].join('|')})\\b`)
const SUPPRESSED = new RegExp(['@ts-' + 'ignore', '@ts-' + 'nocheck', 'eslint-' + 'disable', 'prettier-' + 'ignore'].join('|'))
const MACHINE = new RegExp(['/wo' + 'rk/', '/ho' + 'me/\\w+/', '/ro' + 'ot/\\w'].join('|'))

/** Not ours, or made from what is checked. */
const FOREIGN = /(^|\/)(node_modules|dist|reports|\.cache|\.git)(\/|$)|^docs\/api\/|\.bundled_/

function files(): string[] {
  return readdirSync('.', { withFileTypes: true })
    .filter((entry) => !FOREIGN.test(entry.name))
    .flatMap((entry) =>
      entry.isDirectory()
        ? readdirSync(entry.name, { recursive: true, encoding: 'utf8' }).map((name) => join(entry.name, name))
        : [entry.name],
    )
    .filter(
      (file) =>
        TEXT.test(file) && !FOREIGN.test(file) && file !== 'package-lock.json' && statSync(file, { throwIfNoEntry: false })?.isFile(),
    )
}

function linesWith(pattern: RegExp): string[] {
  return files().flatMap((file) =>
    readFileSync(file, 'utf8')
      .split('\n')
      .flatMap((line, at) => (pattern.test(line) ? [`${file}:${at + 1}: ${line.trim()}`] : [])),
  )
}

describe('the tree', () => {
  it('has nothing marked as unfinished', () => {
    expect(linesWith(UNFINISHED)).toEqual([])
  })

  it('silences no check', () => {
    expect(linesWith(SUPPRESSED)).toEqual([])
  })

  it('names no path of the machine it was written on', () => {
    expect(linesWith(MACHINE)).toEqual([])
  })

  it('has small files', () => {
    const sizes = sourceFiles('src', 'drivers', 'adapters')
      .filter((file) => !file.endsWith('.gen.ts'))
      .map((file) => ({ file, size: statSync(file).size }))
      .sort((a, b) => a.size - b.size)
    const median = sizes[Math.floor(sizes.length / 2)]!.size
    const ninth = sizes[Math.floor(sizes.length * 0.9)]!.size
    console.log(
      `${sizes.length} sources, median ${median} bytes, 90th percentile ${ninth}, largest ${sizes.at(-1)!.size} (${sizes.at(-1)!.file})`,
    )
    expect(sizes.filter(({ size }) => size > LARGEST)).toEqual([])
    expect(median).toBeLessThanOrEqual(MEDIAN)
  })
})
