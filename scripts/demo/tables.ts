/** One job: lay rows out as a table for a terminal. Pure. Control characters of foreign text never reach the terminal. */

export interface Column<T> {
  readonly title: string
  readonly of: (row: T) => string
  /** Longer texts are cut to this. */
  readonly width?: number
  /** Which side of a long text is kept; the start if absent. */
  readonly keep?: 'Start' | 'End'
}

/** Lines of a table, title first. */
export function toTable<T>(rows: readonly T[], columns: readonly Column<T>[]): string {
  const cells = [columns.map(({ title }) => title), ...rows.map((row) => columns.map((column) => cut(column, row)))]
  const widths = columns.map((_column, at) => Math.max(...cells.map((line) => line[at]?.length ?? 0)))
  return cells
    .map((line) =>
      line
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join('   ')
        .trimEnd(),
    )
    .join('\n')
}

function cut<T>({ of, width = 80, keep = 'Start' }: Column<T>, row: T): string {
  const text = plain(of(row))
  if (text.length <= width) return text
  return keep === 'End' ? `…${text.slice(1 - width)}` : `${text.slice(0, width - 1)}…`
}

/** Control and direction characters as a question mark: names of files are foreign text. */
export function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '?')
}
