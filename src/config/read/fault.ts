/**
 * A configuration fault: which file is wrong, where, what was expected, what is there, and how to mend it.
 *
 * Made by the readers and the checks, printed by the command line, the log and `/readyz?verbose`. Faults are collected,
 * never thrown one by one, so that all of them are reported at once.
 */

/** A place in a text file; both numbers count from 1. */
export interface Position {
  readonly line: number
  readonly column: number
}

/** A position and the file that it is in: as the user named it, or the name of an environment variable. */
export interface Place extends Position {
  readonly file: string
}

/** One thing that is wrong in one file. */
export interface ConfigFault extends Place {
  /** The setting as people write it, `inbound.routes[0].path`; empty when the file as a whole is meant. */
  readonly setting: string
  readonly expected: string
  readonly got: string
  readonly hint: string
}

/** One or more faults that keep a configuration from being used. */
export class ConfigFaults extends Error {
  readonly faults: readonly ConfigFault[]

  constructor(faults: readonly ConfigFault[]) {
    super(faults.map(formatFault).join('\n'))
    this.name = 'ConfigFaults'
    this.faults = faults
  }
}

/** A fault in two lines: where and what, then the hint. */
export const formatFault = (fault: ConfigFault): string => {
  const setting = fault.setting === '' ? '' : `${fault.setting}: `
  return `${fault.file}:${fault.line}:${fault.column}: ${setting}expected ${fault.expected}, got ${fault.got}\n  hint: ${fault.hint}`
}

/** The keys and list positions that lead to a value. */
export type Path = readonly (string | number)[]

/** A path as people write it: `inbound.routes[0].path`. */
export const formatPath = (path: Path): string =>
  path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`
    const name = /^[A-Za-z0-9_-]+$/.test(part) ? part : JSON.stringify(part)
    return text === '' ? name : `${text}.${name}`
  }, '')

const longest = 80

/** A value in a message: short, on one line, with its kind when the text alone does not tell. */
export const formatValue = (value: unknown): string => {
  if (value === undefined) return 'nothing'
  if (value === null) return 'an empty value'
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  if (typeof value === 'object') return 'a mapping'
  const text = JSON.stringify(value) ?? typeof value
  const short = text.length > longest ? `${text.slice(0, longest)}…` : text
  return typeof value === 'string' ? short : `the ${typeof value} ${short}`
}
