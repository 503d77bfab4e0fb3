import { accessSync, constants } from 'node:fs'
import { delimiter, join, relative } from 'node:path'
import { expect } from 'vitest'

/** Where Debian keeps administrators' programs, which an ordinary user's PATH may lack. */
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin']

/** Path of a program, or `undefined`. */
export function findTool(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...SYSTEM_FOLDERS]
  return folders.map((folder) => join(folder, name)).find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/**
 * Why a test that calls these programs cannot run, or `undefined` when it can. Use as condition, so that the reason is
 * printed with the summary: `it.skipIf(needs('nft'))('...')`, `describe.skipIf(needs('ip', 'tcpdump'))('...')`.
 */
export function needs(...programs: string[]): string | undefined {
  const missing = programs.filter((program) => findTool(program) === undefined)
  if (missing.length === 0) return undefined
  return skipping(`${missing.join(', ')} not installed`)
}

/** Why a test that makes namespaces, links or mounts cannot run here, or `undefined`: see own-world.cjs. */
export function needsPrivileges(): string | undefined {
  return process.env.LIBCNM_TEST_WORLD === undefined ? skipping('no namespaces of its own') : undefined
}

/**
 * Why a test that must be the machine's real root cannot run, or `undefined`: in a user namespace some things stay
 * forbidden (device nodes, sysctls of the machine, other users' ids).
 */
export function needsRealRoot(): string | undefined {
  return needsPrivileges() ?? (process.env.LIBCNM_TEST_MODE === 'user' ? skipping('needs root outside a user namespace') : undefined)
}

const said = new Set<string>()

/** States for the summary that something in this file is not run. @returns the reason */
export function skipping(reason: string): string {
  const file = expect.getState().testPath
  const line = `SKIP ${file === undefined ? 'a test' : relative(process.cwd(), file)}: ${reason}`
  if (!said.has(line)) console.log(line)
  said.add(line)
  return reason
}
