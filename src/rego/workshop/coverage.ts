/** Which lines of the policies ran: the report that OPA's users know, from a watched policy. */

import type { Trace } from '../run/trace.ts'
import { placeRow, type Body, type Expr, type Module, type Rule } from '../syntax/tree.ts'
import { walkBody, walkTerm } from '../compile/walk-tree.ts'

/** Rows from `start` to `end`, both included. */
export interface RowRange {
  readonly start: { readonly row: number }
  readonly end: { readonly row: number }
}

/** The lines of one file that have something to run. */
export interface FileCoverage {
  readonly covered?: readonly RowRange[]
  readonly not_covered?: readonly RowRange[]
  readonly covered_lines?: number
  readonly not_covered_lines?: number
  /** Percent, with two decimals. */
  readonly coverage: number
}

/** The report; percentages have two decimals. */
export interface CoverageReport {
  readonly files: Readonly<Record<string, FileCoverage>>
  readonly covered_lines: number
  readonly not_covered_lines: number
  readonly coverage: number
}

/** Watches a policy and notes the lines that ran. */
export class Coverage implements Trace {
  readonly #hits = new Map<string, Set<number>>()

  rule(event: 'enter' | 'exit' | 'leave', { file, row }: { file: string; row: number }): void {
    if (event === 'exit') this.#hit(file, row)
  }

  expression(event: string, _expr: Expr, { file, row }: { file: string; row: number }): void {
    if (event === 'try') this.#hit(file, row)
  }

  #hit(file: string, row: number): void {
    const rows = this.#hits.get(file)
    if (rows === undefined) this.#hits.set(file, new Set([row]))
    else rows.add(row)
  }

  /** What ran of these modules, and what did not. */
  report(modules: readonly Module[]): CoverageReport {
    const files: Record<string, FileCoverage> = {}
    let covered = 0
    let missed = 0
    for (const module of modules) {
      const hits = this.#hits.get(module.file) ?? new Set<number>()
      const rows = [...rowsOf(module)].sort((a, b) => a - b)
      const yes = rows.filter((row) => hits.has(row))
      const no = rows.filter((row) => !hits.has(row))
      covered += yes.length
      missed += no.length
      files[module.file] = {
        ...(yes.length === 0 ? {} : { covered: ranges(yes), covered_lines: yes.length }),
        ...(no.length === 0 ? {} : { not_covered: ranges(no), not_covered_lines: no.length }),
        coverage: percent(yes.length, no.length),
      }
    }
    return {
      files,
      covered_lines: covered,
      not_covered_lines: missed,
      coverage: percent(covered, missed),
    }
  }
}

function percent(yes: number, no: number): number {
  return yes + no === 0 ? 100 : Math.round((10_000 * yes) / (yes + no)) / 100
}

/** Rows that follow each other become one range. */
function ranges(rows: readonly number[]): RowRange[] {
  const found: { start: { row: number }; end: { row: number } }[] = []
  for (const row of rows) {
    const last = found.at(-1)
    if (last !== undefined && last.end.row === row - 1) last.end = { row }
    else found.push({ start: { row }, end: { row } })
  }
  return found
}

/** The rows where a rule or an expression begins. */
function rowsOf(module: Module): Set<number> {
  const rows = new Set<number>()
  const expr = ({ at }: Expr): void => {
    if (at !== 0) rows.add(placeRow(at))
  }
  const body = (exprs: Body): void => walkBody(exprs, { expr })
  const rule = (one: Rule): void => {
    rows.add(placeRow(one.at))
    body(one.body)
    for (const term of [one.head.value, one.head.member]) {
      if (term !== undefined) walkTerm(term, { expr })
    }
    if (one.otherwise !== undefined) rule(one.otherwise)
  }
  for (const one of module.rules) rule(one)
  return rows
}
