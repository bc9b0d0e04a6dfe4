/** What a query did, step by step, as lines of text: rules entered and left, expressions tried and failed, notes. */

import type { Location } from '../errors.ts'
import type { RulePlace } from '../run/documents.ts'
import type { Trace } from '../run/trace.ts'
import { printExpr } from '../syntax/print.ts'
import type { Expr } from '../syntax/tree.ts'

/** `notes` keeps what `trace` was called with, `fails` what did not hold, `full` everything. */
export type StoryKind = 'notes' | 'fails' | 'full'

interface Line {
  readonly depth: number
  readonly kind: 'Enter' | 'Eval' | 'Fail' | 'Exit' | 'Note'
  readonly text: string
  readonly location: Location
}

const mostLines = 10_000
/** What `prepareQuery` puts before an expression to keep its value. */
const captureMark = /^value of \d+ = /

/** Watches a query and tells of it. The story of a long query ends after ten thousand lines. */
export class Story implements Trace {
  readonly #kind: StoryKind
  readonly #lines: Line[] = []
  /** Solutions of the expressions that are being tried. */
  readonly #solutions: number[] = []
  #depth = 0

  constructor(kind: StoryKind) {
    this.#kind = kind
  }

  rule(event: 'enter' | 'exit' | 'leave', place: RulePlace): void {
    if (event === 'enter') {
      this.#add('Enter', place.path, place)
      this.#depth += 1
      return
    }
    if (event === 'leave') this.#depth -= 1
    else this.#add('Exit', place.path, place)
  }

  expression(event: 'try' | 'hold' | 'leave', expr: Expr, location: Location): void {
    if (event === 'try') {
      this.#solutions.push(0)
      this.#add('Eval', printExpr(expr), location)
      return
    }
    const last = this.#solutions.length - 1
    if (event === 'hold') {
      for (let at = last; at >= 0; at -= 1) this.#solutions[at] = (this.#solutions[at] ?? 0) + 1
      return
    }
    if (this.#solutions.pop() === 0) this.#add('Fail', printExpr(expr), location)
  }

  /** Takes a note of the policy. */
  note(text: string, location: Location): void {
    this.#add('Note', JSON.stringify(text), location)
  }

  #add(kind: Line['kind'], text: string, location: Location): void {
    const kept = {
      notes: kind === 'Note',
      fails: kind === 'Note' || kind === 'Enter' || kind === 'Fail',
      full: true,
    }
    if (!kept[this.#kind] || this.#lines.length > mostLines) return
    this.#lines.push({
      depth: this.#depth,
      kind,
      text: text.replaceAll('\n', ' ').replace(captureMark, ''),
      location,
    })
  }

  /** The lines, each with its place in front. */
  text(): readonly string[] {
    const places = this.#lines.map(({ location }) =>
      location.file === '' ? 'query' : `${location.file}:${location.row}`,
    )
    const width = Math.max(0, ...places.map((place) => place.length))
    return this.#lines
      .filter((line, at) => this.#kind !== 'fails' || leadsToFailure(this.#lines, line, at))
      .map((line) => {
        const place = places[this.#lines.indexOf(line)] ?? ''
        return `${place.padEnd(width)}  ${'| '.repeat(line.depth)}${line.kind} ${line.text}`
      })
  }
}

/** A rule is named among failures only when something inside it failed. */
function leadsToFailure(lines: readonly Line[], line: Line, at: number): boolean {
  if (line.kind !== 'Enter') return true
  const next = lines[at + 1]
  return next !== undefined && next.depth > line.depth
}
