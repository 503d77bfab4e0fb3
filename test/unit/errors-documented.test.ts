import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { ERROR_CODES } from '../../src/contracts/errors.js'
import { sourceFiles } from '../source-files.js'

const page = readFileSync('docs/errors.md', 'utf8')
const sections = page.split(/^### /m).slice(1)
const documented = sections.map((section) => section.slice(0, section.indexOf('\n')).replaceAll('`', ''))

describe('docs/errors.md', () => {
  it('has a section for each code, in the order of the list, and for nothing else', () => {
    expect(documented).toEqual([...ERROR_CODES])
  })

  it('says of each what it means, where it comes from and what to do', () => {
    const incomplete = sections.filter((section) => !/\n\n\S[^]*\n- Cause: \S[^]*\n- What to do: \S/.test(section))
    expect(incomplete.map((section) => section.split('\n')[0])).toEqual([])
  })
})

/** Every code that is mentioned, in code, comments and pages. */
function mentioned(): string[] {
  const files = [...sourceFiles('src', 'drivers', 'adapters', 'examples', 'test'), 'README.md', 'docs/errors.md']
  const words = files.flatMap((file) => readFileSync(file, 'utf8').match(/\bERR_CNM_[A-Z_]*[A-Z]\b/g) ?? [])
  return [...new Set(words)]
}

describe('error codes', () => {
  it('exist where they are mentioned', () => {
    expect(mentioned().filter((code) => !(ERROR_CODES as readonly string[]).includes(code))).toEqual([])
  })

  it('are all used', () => {
    const code = sourceFiles('src', 'drivers', 'adapters')
      .filter((file) => file !== 'src/contracts/errors.ts')
      .map((file) => readFileSync(file, 'utf8'))
      .join('\n')
    expect(ERROR_CODES.filter((name) => !code.includes(`'${name}'`))).toEqual([])
  })
})
