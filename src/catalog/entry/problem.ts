/** What is wrong with an entry file, and where; all of it at once. Shared by loading, `apis check` and the drafts. */

/** A place in a file; lines and columns count from 1. */
export interface Position {
  readonly line: number
  readonly column: number
}

/** The keys and list positions that lead to a value. */
export type Path = readonly (string | number)[]

/** A YAML (or JSON) document with the places of its nodes. Made by whoever owns the YAML parser. */
export interface YamlDocument {
  /** The content as plain values; undefined when nothing could be read. */
  readonly value: unknown
  /** Place of the value at `path`, or of the nearest enclosing thing that is in the file. */
  locate(path: Path): Position
  /** Place of the last key of `path`, or of the nearest enclosing thing that is in the file. */
  locateKey(path: Path): Position
  /** Syntax errors, duplicate keys and other faults of the text itself. */
  readonly faults: readonly CatalogProblem[]
}

/** Reads YAML text; never throws. */
export type ReadYaml = (file: string, text: string) => YamlDocument

/** One thing that is wrong in a catalog file. */
export interface CatalogProblem extends Position {
  readonly file: string
  /** Where in the document, such as `limits.rate.per`; empty for the whole. */
  readonly setting: string
  readonly expected: string
  readonly got: string
  readonly hint: string
}

/** One line for people: `file:line:column: path: expected …, got … (hint)`. */
export const problemText = (problem: CatalogProblem): string => {
  const where = problem.setting === '' ? '' : `${problem.setting}: `
  const hint = problem.hint === '' ? '' : ` (${problem.hint})`
  return `${problem.file}:${problem.line}:${problem.column}: ${where}expected ${problem.expected}, got ${problem.got}${hint}`
}

/** A value as it is shown in a message: short, and never a whole document. */
export const shownValue = (value: unknown): string => {
  if (value === undefined) return 'nothing'
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (typeof value === 'object' && value !== null) return 'an object'
  const text = JSON.stringify(value)
  return text.length > 80 ? `${text.slice(0, 77)}...` : text
}

/** `['limits', 'rate', 0]` as `limits.rate[0]`. */
export const pathText = (path: Path): string =>
  path.reduce<string>(
    (text, part) =>
      typeof part === 'number' ? `${text}[${part}]` : text === '' ? part : `${text}.${part}`,
    '',
  )

/** Makes a problem at `path` of a document. */
export const problemAt = (
  document: YamlDocument,
  file: string,
  path: Path,
  fields: { readonly expected: string; readonly got: string; readonly hint?: string },
): CatalogProblem => ({
  file,
  ...document.locate(path),
  setting: pathText(path),
  expected: fields.expected,
  got: fields.got,
  hint: fields.hint ?? '',
})
