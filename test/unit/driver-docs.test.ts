import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')

describe('docs/writing-a-driver.md', () => {
  it.each(['ptp.js', 'ptp.test.js'])('shows examples/third-party-driver/%s as it is', (file) => {
    expect(read('docs/writing-a-driver.md')).toContain(`\`\`\`js\n${read(`examples/third-party-driver/${file}`)}\`\`\``)
  })

  it('shows a driver of under 100 lines', () => {
    expect(read('examples/third-party-driver/ptp.js').split('\n').length).toBeLessThan(100)
  })
})
