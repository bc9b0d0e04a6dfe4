/** Functions over regular expressions and globs. Compiled patterns are kept across queries. */
import { isArray, type Value } from '../values.ts'
import type { BuiltinContext } from './builtin.ts'
import { cached } from './cache.ts'
import { quoteGo } from './go/quote.ts'
import {
  fail,
  failElement,
  failType,
  integerOperand,
  resultLimit,
  stringOperand,
  type FunctionTable,
} from './operand.ts'
import { globsIntersect, GlobInputError } from './text/glob-intersection.ts'
import { compileGlob, GlobError, quoteGlob } from './text/glob.ts'
import { group, isPattern, quotePattern, Regex, RegexError } from './text/regex.ts'

/** How many characters of text one step of the budget pays for. */
const charactersPerStep = 64

function regex(context: BuiltinContext, pattern: string, text: string): Regex {
  context.spend(1 + Math.floor(text.length / charactersPerStep))
  return cached(context, 'regex', pattern, () => compiling(() => new Regex(pattern)))
}

function compiling<T>(make: () => T): T {
  try {
    return make()
  } catch (error) {
    if (
      error instanceof RegexError ||
      error instanceof GlobError ||
      error instanceof GlobInputError
    ) {
      fail(error.message)
    }
    throw error
  }
}

function isValid(pattern: Value): boolean {
  return typeof pattern === 'string' && isPattern(pattern)
}

/** The expression of a template: what stands between delimiters is a pattern, the rest is itself. */
function templatePattern(template: string, open: string, close: string): string {
  let pattern = '^'
  let depth = 0
  let from = 0
  let opened = 0
  for (let at = 0; at < template.length; at++) {
    if (template[at] === open) {
      if (++depth === 1) opened = at
    } else if (template[at] === close) {
      if (--depth < 0) break
      if (depth > 0) continue
      pattern += `${quotePattern(template.slice(from, opened))}(${template.slice(opened + 1, at)})`
      from = at + 1
    }
  }
  if (depth !== 0) fail(`unbalanced braces in ${quoteGo(template)}`)
  return `${pattern}${quotePattern(template.slice(from))}$`
}

function matchTemplate(
  context: BuiltinContext,
  template: string,
  text: string,
  open: string,
  close: string,
): boolean {
  const size = Buffer.byteLength(open)
  if (size !== 1) fail(`start delimiter has to be exactly one character long but is ${size} long`)
  if (Buffer.byteLength(close) !== 1) {
    fail(`end delimiter has to be exactly one character long but is ${size} long`)
  }
  return regex(context, templatePattern(template, open, close), text).test(text)
}

function replace(context: BuiltinContext, text: string, pattern: string, value: string): string {
  const expression = regex(context, pattern, text)
  return (
    expression.replaceAll(text, value, resultLimit, (steps) => context.spend(steps)) ??
    fail(`result is larger than ${resultLimit} characters`)
  )
}

function findAll(context: BuiltinContext, pattern: string, text: string, limit: number) {
  return regex(context, pattern, text).findAll(text, limit, (steps) => context.spend(steps))
}

function delimitersOperand(value: Value): readonly string[] {
  if (value === null) return []
  if (!isArray(value)) failType(2, value, 'array', 'null')
  for (const element of value) {
    if (typeof element !== 'string') failElement(2, value, element, 'string')
    if (Array.from(element).length !== 1) failElement(2, value, element, 'rune')
  }
  return value.length === 0 ? ['.'] : (value as readonly string[])
}

function globMatch(
  context: BuiltinContext,
  pattern: Value,
  separators: Value,
  text: Value,
): boolean {
  const glob = stringOperand(pattern, 1)
  const delimiters = delimitersOperand(separators)
  const subject = stringOperand(text, 3)
  const test = cached(context, 'glob', `${delimiters.join('')}\0${glob}`, () =>
    compiling(() => compileGlob(glob, delimiters)),
  )
  context.spend(1 + Math.floor(subject.length / charactersPerStep))
  return test(subject)
}

export const patternFunctions: FunctionTable = {
  'glob.match': (context, pattern, separators, text) =>
    globMatch(context, pattern, separators, text),
  'glob.quote_meta': (_, text) => quoteGlob(stringOperand(text, 1)),
  re_match: (context, pattern, text) => match(context, pattern, text),
  'regex.match': (context, pattern, text) => match(context, pattern, text),
  'regex.is_valid': (_, pattern) => isValid(pattern),
  'regex.split': (context, pattern, text) => {
    const subject = stringOperand(text, 2)
    return regex(context, stringOperand(pattern, 1), subject).split(subject, (steps) =>
      context.spend(steps),
    )
  },
  'regex.find_n': (context, pattern, text, limit) => {
    const source = stringOperand(pattern, 1)
    const subject = stringOperand(text, 2)
    const spans = findAll(context, source, subject, integerOperand(limit, 3))
    return spans.map((span) => group(subject, span, 0)!)
  },
  'regex.find_all_string_submatch_n': (context, pattern, text, limit) => {
    const source = stringOperand(pattern, 1)
    const subject = stringOperand(text, 2)
    const spans = findAll(context, source, subject, integerOperand(limit, 3))
    return spans.map((span) =>
      Array.from({ length: span.length / 2 }, (_, index) => group(subject, span, index) ?? ''),
    )
  },
  'regex.replace': (context, text, pattern, value) =>
    replace(context, stringOperand(text, 1), stringOperand(pattern, 2), stringOperand(value, 3)),
  'regex.globs_match': (context, left, right) => {
    const a = stringOperand(left, 1)
    const b = stringOperand(right, 2)
    context.spend(1 + Math.floor((a.length * b.length) / charactersPerStep))
    return compiling(() => globsIntersect(a, b))
  },
  'regex.template_match': (context, template, text, open, close) =>
    matchTemplate(
      context,
      stringOperand(template, 1),
      stringOperand(text, 2),
      stringOperand(open, 3),
      stringOperand(close, 4),
    ),
}

function match(context: BuiltinContext, pattern: Value, text: Value): boolean {
  const subject = stringOperand(text, 2)
  return regex(context, stringOperand(pattern, 1), subject).test(subject)
}
