/** p50, p90, p99. */
export function quantiles(values: readonly number[]): number[] {
  const sorted = [...values].sort((a, b) => a - b)
  return [0.5, 0.9, 0.99].map((q) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? NaN)
}

export const milliseconds = (value: number): string => value.toFixed(2)

/** Rows in columns, the first to the left. */
export function table(rows: readonly (readonly string[])[]): void {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  for (const row of rows)
    console.log(`  ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  ')}`)
}
