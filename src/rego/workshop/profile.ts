/** Where the time of a query went: per line of the policies, the most expensive first. */

import type { Location } from '../errors.ts'
import type { Trace } from '../run/trace.ts'
import type { Expr } from '../syntax/tree.ts'

/** What one line cost. */
export interface ProfileLine {
  readonly total_time_ns: number
  /** How often an expression of the line was tried. */
  readonly num_eval: number
  /** How often it gave a further solution. */
  readonly num_redo: number
  /** How many expressions the line has become. */
  readonly num_gen_expr: number
  readonly location: Location
}

interface Count {
  time: bigint
  evaluations: number
  redos: number
  readonly expressions: Set<Expr>
  readonly location: Location
}

/** Watches a query. Time between two events belongs to the line of the first. */
export class Profile implements Trace {
  readonly #lines = new Map<string, Count>()
  readonly #clock: () => bigint
  /** Of the expressions that are being tried, how many solutions each has given. */
  readonly #open: { readonly count: Count; solutions: number }[] = []
  #running: Count | undefined
  #since = 0n

  /** `clock` gives nanoseconds and never goes back. */
  constructor(clock: () => bigint) {
    this.#clock = clock
  }

  rule(): void {}

  expression(event: 'try' | 'hold' | 'leave', expr: Expr, location: Location): void {
    const now = this.#clock()
    if (this.#running !== undefined) this.#running.time += now - this.#since
    const count = this.#countOf(location)
    const open = this.#open.at(-1)
    if (event === 'try') {
      count.evaluations += 1
      count.expressions.add(expr)
      this.#open.push({ count, solutions: 0 })
    } else if (event === 'hold') {
      const own = this.#open.findLast((each) => each.count === count)
      if (own !== undefined && (own.solutions += 1) > 1) count.redos += 1
    } else this.#open.pop()
    this.#running = event === 'leave' ? open?.count : count
    this.#since = this.#clock()
  }

  #countOf(location: Location): Count {
    const key = `${location.file}\0${location.row}`
    let count = this.#lines.get(key)
    if (count === undefined) {
      count = { time: 0n, evaluations: 0, redos: 0, expressions: new Set(), location }
      this.#lines.set(key, count)
    }
    return count
  }

  /** The lines, most expensive first. */
  lines(): readonly ProfileLine[] {
    return [...this.#lines.values()]
      .map(({ time, evaluations, redos, expressions, location }) => ({
        total_time_ns: Number(time),
        num_eval: evaluations,
        num_redo: redos,
        num_gen_expr: expressions.size,
        location,
      }))
      .sort((a, b) => b.total_time_ns - a.total_time_ns)
  }
}
