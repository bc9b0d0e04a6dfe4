/**
 * Modules, rules and queries from text. `parseModule` reports every syntax error it can tell apart:
 * one for the text (parsing stops there) or all breaches of Rego v1's rules on `if` and `contains`.
 * Names are not resolved here, and nothing is checked for meaning.
 */

import { ErrorList } from '../errors.ts'
import { atOnce, type Steps } from '../run/slices.ts'
import { keywordsOf, SyntaxFault } from './cursor.ts'
import { annotationsOf } from './metadata.ts'
import { RuleParser } from './parse-rules.ts'
import { scan, scanSteps } from './scan.ts'
import { placeCol, placeRow, type Body, type Module, type RegoVersion, type Term } from './tree.ts'

export interface ParseOptions {
  readonly version: RegoVersion
  /** `all` accepts `future.keywords.and` and `or`, which OPA calls experimental. */
  readonly experimental?: 'none' | 'all'
  /** Keywords of `future.keywords` in force without an import. */
  readonly forced?: readonly string[]
}

/** The module of a file; throws `RegoErrors`. */
export function parseModule(file: string, text: string, options: ParseOptions): Module {
  return atOnce(parseModuleSteps(file, text, options))
}

/** The same in steps. */
export function* parseModuleSteps(
  file: string,
  text: string,
  options: ParseOptions,
): Steps<Module> {
  try {
    const { tokens, comments } = yield* scanSteps(text)
    const parser = new RuleParser(tokens, keywordsOf(options.version), options)
    const { faults, ...parsed } = yield* parser.moduleSteps()
    const annotations = annotationsOf(comments, parsed.statements)
    const errors = new ErrorList()
    for (const fault of [...faults, ...annotations.faults]) {
      errors.add('rego_parse_error', fault.message, location(file, fault.at))
    }
    errors.throwIfAny()
    return {
      file,
      version: parsed.version,
      package: parsed.package,
      imports: parsed.imports,
      rules: parsed.rules,
      annotations: annotations.annotations,
      comments,
    }
  } catch (fault) {
    return refused(file, fault)
  }
}

/** The body of a query; throws `RegoErrors`. */
export function parseQuery(text: string, options: ParseOptions): Body {
  return guarded('', () =>
    new RuleParser(scan(text).tokens, keywordsOf(options.version), options).query(),
  )
}

/** One term, such as an input given as Rego text; throws `RegoErrors`. */
export function parseTerm(text: string): Term {
  return guarded('', () =>
    new RuleParser(scan(text).tokens, keywordsOf('v1'), { version: 'v1' }).term(),
  )
}

function guarded<T>(file: string, parse: () => T): T {
  try {
    return parse()
  } catch (fault) {
    return refused(file, fault)
  }
}

/** Throws a fault of the parser as an error of the policy. */
function refused(file: string, fault: unknown): never {
  if (!(fault instanceof SyntaxFault)) throw fault
  const errors = new ErrorList()
  errors.add('rego_parse_error', fault.message, location(file, fault.at))
  errors.throwIfAny()
  throw fault
}

function location(file: string, at: number) {
  return { file, row: placeRow(at), col: placeCol(at) }
}
