/**
 * RE2 expressions for policies: matching in linear time, with the rules of Go's regexp package for repeated matches,
 * splitting and replacing. Never uses JavaScript's own expressions on a pattern that a policy gives.
 */
import { RE2JS } from 're2js'

/** A pattern that RE2 does not accept, in its words. */
export class RegexError extends Error {}

/** Positions of one match and its groups: start and end of each, -1 where a group did not take part. */
type Span = readonly number[]

/** Pays for work; throws when the budget of the query is spent. */
export type Spend = (steps: number) => void

/** A match may have looked at all that follows, so each costs something whatever its length. */
const stepsPerMatch = 16

export class Regex {
  readonly #compiled: RE2JS

  /** @throws RegexError */
  constructor(pattern: string) {
    try {
      this.#compiled = RE2JS.compile(pattern)
    } catch (error) {
      throw new RegexError(error instanceof Error ? error.message : 'error parsing regexp')
    }
  }

  test(text: string): boolean {
    return this.#compiled.test(text)
  }

  /** At most `limit` matches that do not overlap; all when `limit` is negative. */
  findAll(text: string, limit: number, spend: Spend): readonly Span[] {
    const found: Span[] = []
    const matcher = this.#compiled.matcher(text)
    const groups = this.#compiled.groupCount()
    let previousEnd = -1
    let at = 0
    const wanted = limit < 0 ? text.length + 1 : limit
    while (at <= text.length && found.length < wanted && matcher.find(at)) {
      spend(stepsPerMatch)
      const start = matcher.start()
      const end = matcher.end()
      const isAdjacentEmpty = end === at && start === previousEnd
      at = end === at ? at + widthAt(text, at) : end
      previousEnd = end
      if (isAdjacentEmpty) continue
      const span = [start, end]
      for (let group = 1; group <= groups; group++) {
        span.push(matcher.start(group), matcher.end(group))
      }
      found.push(span)
    }
    return found
  }

  /** The parts of `text` between the matches. */
  split(text: string, spend: Spend): string[] {
    if (text === '' && this.#compiled.pattern() !== '') return ['']
    const parts: string[] = []
    let from = 0
    let to = 0
    for (const [start = 0, end = 0] of this.findAll(text, -1, spend)) {
      to = start
      if (end !== 0) parts.push(text.slice(from, to))
      from = end
    }
    if (to !== text.length) parts.push(text.slice(from))
    return parts
  }

  /** `text` with each match replaced by `template`, or undefined when longer than `limit`. */
  replaceAll(text: string, template: string, limit: number, spend: Spend): string | undefined {
    const parts = parseTemplate(template, this.#compiled.namedGroups())
    const out: string[] = []
    let size = 0
    let copied = 0
    const put = (part: string): void => {
      out.push(part)
      size += part.length
    }
    for (const span of this.findAll(text, -1, spend)) {
      put(text.slice(copied, span[0]))
      for (const part of parts) {
        put(typeof part === 'string' ? part : (group(text, span, part) ?? ''))
      }
      copied = span[1]!
      if (size > limit) return undefined
    }
    put(text.slice(copied))
    return size > limit ? undefined : out.join('')
  }
}

/** Whether RE2 accepts the pattern. */
export function isPattern(pattern: string): boolean {
  try {
    RE2JS.compile(pattern)
    return true
  } catch {
    return false
  }
}

/** Text of a group of a match; undefined when it took no part. */
export function group(text: string, span: Span, index: number): string | undefined {
  const start = span[2 * index] ?? -1
  return start < 0 ? undefined : text.slice(start, span[2 * index + 1])
}

/** `text` as a pattern that matches just it. */
export function quotePattern(text: string): string {
  return RE2JS.quote(text)
}

function widthAt(text: string, at: number): number {
  return (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1
}

const reference = /\$(?:\$|([\p{L}\p{Nd}_]+)|\{([\p{L}\p{Nd}_]+)\})/gu

/** Literal texts and group numbers of a replacement; a name or number that no group has is nothing. */
function parseTemplate(template: string, names: Record<string, number>): (string | number)[] {
  const parts: (string | number)[] = []
  let from = 0
  for (const match of template.matchAll(reference)) {
    parts.push(template.slice(from, match.index))
    from = match.index + match[0].length
    const name = match[1] ?? match[2]
    if (name === undefined) parts.push('$')
    else if (/^\d+$/.test(name)) parts.push(Number(name))
    else if (Object.hasOwn(names, name)) parts.push(names[name]!)
  }
  parts.push(template.slice(from))
  return parts
}
