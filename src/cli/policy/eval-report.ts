/** The answer to a query in the formats of `opa eval`. Numbers keep all their digits. */
import type { Location } from '../../rego/errors.ts'
import { toJsonText } from '../../rego/value-text.ts'
import type { Value } from '../../rego/values.ts'
import type { ProfileLine } from '../../rego/workshop/profile.ts'
import type { Solution } from '../../rego/workshop/solve.ts'
import type { Terminal } from '../terminal.ts'
import { tellErrors } from './errors.ts'
import { indented } from './indent.ts'

/** What a query gave. */
export interface Answer {
  readonly solutions: readonly Solution[]
  readonly errors: readonly {
    readonly code: string
    readonly message: string
    readonly location?: Location
  }[]
  readonly profile: readonly ProfileLine[] | undefined
  /** Lines that explain the answer. */
  readonly story: readonly string[] | undefined
}

/** The ways to write an answer. */
export type AnswerFormat = 'json' | 'pretty' | 'raw' | 'values' | 'bindings'

/** Writes the answer. */
export const tellAnswer = (answer: Answer, format: AnswerFormat, terminal: Terminal): void => {
  const { solutions, errors, profile, story } = answer
  if (format === 'json') {
    const document = {
      ...(solutions.length === 0 ? {} : { result: solutions }),
      ...(errors.length === 0 ? {} : { errors }),
      ...(profile === undefined ? {} : { profile }),
      ...(story === undefined ? {} : { explanation: story }),
    }
    terminal.print(indented(document as unknown as Value))
    return
  }
  for (const line of story ?? []) terminal.print(line)
  if (errors.length > 0) tellErrors(errors, terminal)
  else writers[format](solutions, terminal)
  if (profile !== undefined) tellProfile(profile, terminal)
}

const valuesOf = ({ expressions }: Solution): readonly Value[] =>
  expressions.map(({ value }) => value)

type Writer = (solutions: readonly Solution[], terminal: Terminal) => void

const tellPretty: Writer = (solutions, terminal) => {
  const [first] = solutions
  if (first === undefined) {
    terminal.print('undefined')
    return
  }
  if (solutions.length === 1 && first.bindings === undefined && first.expressions.length === 1) {
    terminal.print(indented(first.expressions[0]!.value))
    return
  }
  const names = Object.keys(first.bindings ?? {})
  const shown = first.expressions
    .map(({ text, value }, index) => ({ text, index, value }))
    .filter(({ text }) => !names.includes(text))
    .filter(({ index }) => solutions.some(({ expressions }) => expressions[index]?.value !== true))
  const rows = solutions.map(({ bindings = {}, expressions }) => [
    ...names.map((name) => toJsonText(bindings[name] ?? null)),
    ...shown.map(({ index }) => toJsonText(expressions[index]?.value ?? null)),
  ])
  tellTable([...names, ...shown.map(({ text }) => text)], rows, terminal)
}

const tellTable = (
  heads: readonly string[],
  rows: readonly (readonly string[])[],
  terminal: Terminal,
): void => {
  if (heads.length === 0) {
    terminal.print('true')
    return
  }
  const widths = heads.map((head, at) =>
    Math.max(head.length, ...rows.map((row) => row[at]?.length ?? 0)),
  )
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |`
  const ruler = `+${widths.map((width) => '-'.repeat(width + 2)).join('+')}+`
  for (const each of [ruler, line(heads), ruler, ...rows.map(line), ruler]) terminal.print(each)
}

const writers: Readonly<Record<Exclude<AnswerFormat, 'json'>, Writer>> = {
  pretty: tellPretty,
  raw: (solutions, terminal) => {
    for (const solution of solutions) {
      const texts = valuesOf(solution).map((value) =>
        typeof value === 'string' ? value : toJsonText(value),
      )
      terminal.print(texts.join(' '))
    }
  },
  values: (solutions, terminal) => terminal.print(indented(solutions.map(valuesOf))),
  bindings: (solutions, terminal) =>
    terminal.print(indented(solutions.map(({ bindings }) => bindings ?? {}))),
}

const tellProfile = (lines: readonly ProfileLine[], terminal: Terminal): void => {
  tellTable(
    ['time', 'evaluations', 'redos', 'expressions', 'location'],
    lines
      .slice(0, 10)
      .map((line) => [
        `${line.total_time_ns / 1_000}µs`,
        `${line.num_eval}`,
        `${line.num_redo}`,
        `${line.num_gen_expr}`,
        line.location.file === '' ? 'query' : `${line.location.file}:${line.location.row}`,
      ]),
    terminal,
  )
}
