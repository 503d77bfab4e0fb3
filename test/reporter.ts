import { writeFileSync } from 'node:fs'
import { relative } from 'node:path'
import type { SerializedError, UserConsoleLog } from 'vitest'
import type { Reporter, TestCase, TestModule } from 'vitest/node'

/** Lines of this form, printed by a test file, say why something was not run. */
const SKIP_LINE = /^SKIP .+: .+$/

interface Summary {
  passed: number
  failed: number
  skipped: number
  /** What was skipped, and what failed, and why: one line each. */
  reasons: string[]
}

/**
 * Counts what ran, and collects why something did not. A test that is skipped without a reason counts as failed:
 * neither a note (`context.skip(note)`) nor a `SKIP name: reason` line of its file tells the reader what is missing.
 * Writes the result to LIBCNM_TEST_REPORT for test/run.mjs, or prints it.
 */
export default class SkipReasonsReporter implements Reporter {
  #lines = new Set<string>()

  onUserConsoleLog(log: UserConsoleLog): void {
    for (const line of log.content.split('\n')) if (SKIP_LINE.test(line)) this.#lines.add(line)
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const summary: Summary = { passed: 0, failed: unhandled.length, skipped: 0, reasons: [] }
    const filtered = modules.some((module) => module.project.config.testNamePattern !== undefined)
    for (const module of modules) {
      const file = relative(process.cwd(), module.moduleId)
      for (const group of [module, ...module.children.allSuites()]) {
        const [error] = group.errors()
        if (error === undefined) continue
        summary.failed++
        summary.reasons.push(failure(file, group.type === 'module' ? 'the file' : group.fullName, error))
      }
      for (const test of module.children.allTests()) this.#count(test, file, summary, filtered)
    }
    for (const error of unhandled) summary.reasons.push(failure('outside any test', String(error.name), error))
    summary.reasons.unshift(...[...this.#lines].sort())
    this.#deliver(summary)
  }

  #count(test: TestCase, file: string, summary: Summary, filtered: boolean): void {
    const result = test.result()
    if (result.state === 'passed') summary.passed++
    else if (result.state === 'failed') {
      summary.failed++
      summary.reasons.push(failure(file, test.fullName, result.errors[0]))
    } else if (result.state !== 'skipped') summary.failed++
    else if (result.note !== undefined) {
      summary.skipped++
      this.#lines.add(`SKIP ${test.fullName}: ${result.note}`)
    } else if (filtered || this.#mentions(file) || hookFailed(test)) summary.skipped++
    else {
      summary.failed++
      summary.reasons.push(`FAIL ${file} > ${test.fullName}: skipped without a reason`)
    }
  }

  #mentions(file: string): boolean {
    return [...this.#lines].some((line) => line.startsWith(`SKIP ${file}`))
  }

  #deliver(summary: Summary): void {
    const target = process.env.LIBCNM_TEST_REPORT
    if (target !== undefined) writeFileSync(target, JSON.stringify(summary))
    else if (summary.reasons.length > 0) console.log(summary.reasons.join('\n'))
  }
}

function failure(file: string, name: string, error: { message?: string } | undefined): string {
  return `FAIL ${file} > ${name}: ${(error?.message ?? 'no reason given').split('\n')[0]}`
}

/** A failed beforeAll skips the tests of its file or group. */
function hookFailed(test: TestCase): boolean {
  for (let group = test.parent; ; group = group.parent) {
    if (group.errors().length > 0) return true
    if (group.type === 'module') return false
  }
}
