/** Reading the JSON of iproute2. */
export type Json = Record<string, unknown>

export const text = (value: unknown): string | undefined => (value === undefined ? undefined : String(value))
export const number = (value: unknown): number | undefined => (value === undefined ? undefined : Number(value))
export const json = (value: unknown): Json => (value ?? {}) as Json
export const list = (value: unknown): Json[] => (value ?? []) as Json[]
export const has = (value: unknown, word: string): boolean => (value as string[] | undefined)?.includes(word) === true
export const unless = <T>(value: T, usual: T): T | undefined => (value === usual ? undefined : value)

/** Without absent fields and empty options. */
export function plain<T extends object>(object: T): T {
  return Object.fromEntries(
    Object.entries(object).filter(
      ([, value]) => value !== undefined && !(typeof value === 'object' && value !== null && Object.keys(value).length === 0),
    ),
  ) as T
}

/** Objects in a fixed order. */
export const sorted = <T>(objects: readonly T[]): T[] =>
  objects
    .map((object) => ({ object, key: canonical(object) }))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ object }) => object)

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, field: unknown) =>
    typeof field === 'object' && field !== null && !Array.isArray(field)
      ? Object.fromEntries(Object.entries(field).sort(([a], [b]) => (a < b ? -1 : 1)))
      : field,
  )
}
