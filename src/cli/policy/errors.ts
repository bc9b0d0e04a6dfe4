/** Errors of policies as the command line shows them: for people with a hint, for programs in OPA's shape. */
import type { Location, RegoError } from '../../rego/errors.ts'
import type { Source } from '../../rego/policy.ts'
import { hintFor } from '../../rego/workshop/hint.ts'
import type { Terminal } from '../terminal.ts'

/** One error as `opa` writes it, with a hint where there is one. */
export interface ShownError {
  readonly message: string
  readonly code: string
  readonly location?: Location
  readonly details?: { readonly line: string; readonly idx: number }
  readonly hint?: string
}

/** Adds the line of the source and the hint. */
export const showErrors = (
  errors: readonly RegoError[],
  modules: readonly Source[],
): readonly ShownError[] => {
  const texts = new Map(modules.map(({ file, text }) => [file, text]))
  return errors.map((error) => {
    const { message, code, location } = error
    const text = texts.get(location.file) ?? ''
    const line = text.split('\n')[location.row - 1]
    const hint = hintFor(error, text)
    return {
      message,
      code,
      location,
      ...(line === undefined || line === '' || code !== 'rego_parse_error'
        ? {}
        : { details: { line, idx: Math.max(0, location.col - 1) } }),
      ...(hint === undefined ? {} : { hint }),
    }
  })
}

const placeText = ({ file, row, col }: Location): string =>
  `${file === '' ? '' : `${file}:`}${row}:${col}: `

/** Writes errors for people to standard error: place, code, message, the line, the hint. */
export const tellErrors = (errors: readonly ShownError[], terminal: Terminal): void => {
  const count = errors.length
  terminal.tell(`${count} ${count === 1 ? 'error' : 'errors'} occurred:`)
  for (const { message, code, location, details, hint } of errors) {
    const place = location === undefined ? '' : placeText(location)
    terminal.tell(`${place}${terminal.paint('red', code)}: ${message}`)
    if (details !== undefined) {
      terminal.tell(`  ${details.line.replaceAll('\t', ' ')}`)
      terminal.tell(`  ${' '.repeat(details.idx)}^`)
    }
    if (hint !== undefined) terminal.tell(`  ${terminal.paint('yellow', 'hint')}: ${hint}`)
  }
}
