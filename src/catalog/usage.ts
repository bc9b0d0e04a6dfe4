/**
 * What became of calls, per API and caller: counts and times, no values. For reports, metrics and the admin page.
 *
 * Kept in memory and, if the composition root writes {@link ApiUsage.rows} to a file, over restarts.
 */

/** Calls of one caller to one API. Times in ms. */
export interface UsageRow {
  /** Entry name; `undeclared` for calls that no entry covers. */
  readonly api: string
  readonly caller: string
  readonly calls: number
  readonly refused: number
  readonly failed: number
  readonly firstCall: number
  readonly lastCall: number
}

/** One call that is over. */
export interface FinishedCall {
  readonly api: string
  readonly caller: string
  readonly outcome: 'answered' | 'refused' | 'failed'
}

/** More pairs than this are counted together, so that an attack on the app cannot fill the memory. */
const mostRows = 5_000

/** Counts calls. */
export class ApiUsage {
  readonly #rows = new Map<string, UsageRow>()

  constructor(rows: readonly UsageRow[] = []) {
    for (const row of rows) this.#rows.set(`${row.api} ${row.caller}`, row)
  }

  /** Notes a call that ended at `now`. */
  record(call: FinishedCall, now: number): void {
    const known = this.#rows.has(`${call.api} ${call.caller}`) || this.#rows.size < mostRows
    const caller = known ? call.caller : 'other'
    const key = `${call.api} ${caller}`
    const row = this.#rows.get(key) ?? {
      api: call.api,
      caller,
      calls: 0,
      refused: 0,
      failed: 0,
      firstCall: now,
      lastCall: now,
    }
    this.#rows.set(key, {
      ...row,
      calls: row.calls + 1,
      refused: row.refused + (call.outcome === 'refused' ? 1 : 0),
      failed: row.failed + (call.outcome === 'failed' ? 1 : 0),
      lastCall: Math.max(row.lastCall, now),
    })
  }

  /** All rows. */
  rows(): readonly UsageRow[] {
    return [...this.#rows.values()]
  }
}
