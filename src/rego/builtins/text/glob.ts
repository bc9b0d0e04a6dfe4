/**
 * Globs of `glob.match`: `*` within separators, `**` across them, `?`, `[abc]`, `[!a-z]`, `{a,b}` and `\`.
 *
 * A glob without alternatives or `**` is matched by hand; any other becomes an RE2 expression, linear in time.
 */
import { quotePattern, Regex } from './regex.ts'

/** A pattern that is no glob. */
export class GlobError extends Error {}

type Token =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'any' | 'super' | 'single' | 'open' | 'close' | 'comma' }
  | { readonly kind: 'class'; readonly not: boolean; readonly has: CharacterClass }

/** Members of a class: single characters, or one range. */
type CharacterClass =
  { readonly characters: ReadonlySet<string> } | { readonly low: string; readonly high: string }

const specials = /[*?\\[\]{}]/g

/** `text` as a glob that matches just it. */
export function quoteGlob(text: string): string {
  return text.replace(specials, '\\$&')
}

/** A test of texts against `pattern`. @throws GlobError */
export function compileGlob(
  pattern: string,
  separators: readonly string[],
): (text: string) => boolean {
  const tokens = new Lexer(pattern).tokens()
  const simple = simpleMatcher(tokens, new Set(separators))
  if (simple !== undefined) return simple
  const regex = new Regex(`\\A(?s:${toPattern(tokens, separators)})\\z`)
  return (text) => regex.test(text)
}

class Lexer {
  readonly #characters: readonly string[]
  #at = 0
  #depth = 0

  constructor(pattern: string) {
    this.#characters = Array.from(pattern)
  }

  tokens(): Token[] {
    const tokens: Token[] = []
    while (this.#at < this.#characters.length) tokens.push(this.#token())
    return tokens
  }

  #token(): Token {
    const character = this.#characters[this.#at]
    if (character === '{') {
      this.#at++
      this.#depth++
      return { kind: 'open' }
    }
    if (this.#depth > 0 && (character === ',' || character === '}')) {
      this.#at++
      if (character === ',') return { kind: 'comma' }
      this.#depth--
      return { kind: 'close' }
    }
    if (character === '[') return this.#class()
    if (character === '?') {
      this.#at++
      return { kind: 'single' }
    }
    if (character !== '*')
      return { kind: 'text', text: this.#text(this.#depth > 0 ? '?*[{},' : '?*[{') }
    this.#at++
    if (this.#characters[this.#at] !== '*') return { kind: 'any' }
    this.#at++
    return { kind: 'super' }
  }

  #text(breakers: string): string {
    let text = ''
    for (; this.#at < this.#characters.length; this.#at++) {
      const character = this.#characters[this.#at]!
      if (character === '\\') {
        this.#at++
        text += this.#characters[this.#at] ?? ''
      } else if (breakers.includes(character)) break
      else text += character
    }
    return text
  }

  #class(): Token {
    this.#at++
    const not = this.#characters[this.#at] === '!'
    if (not) this.#at++
    if (this.#at >= this.#characters.length) throw new GlobError('unexpected end of input')
    const has = this.#characters[this.#at + 1] === '-' ? this.#range() : this.#list()
    if (this.#at >= this.#characters.length) throw new GlobError('unexpected end of input')
    if (this.#characters[this.#at] !== ']') throw new GlobError('expected close range character')
    this.#at++
    return { kind: 'class', not, has }
  }

  #range(): CharacterClass {
    const low = this.#characters[this.#at]!
    const high = this.#characters[this.#at + 2]
    if (high === undefined) throw new GlobError('unexpected end of input')
    if (high.codePointAt(0)! < low.codePointAt(0)!) {
      throw new GlobError(`hi character '${high}' should be greater than lo '${low}'`)
    }
    this.#at += 3
    return { low, high }
  }

  #list(): CharacterClass {
    const text = this.#text(']')
    if (text === '') throw new GlobError('could not parse range')
    return { characters: new Set(text) }
  }
}

function isIn(character: string, token: Token & { readonly kind: 'class' }): boolean {
  const { has } = token
  if ('characters' in has) return has.characters.has(character) !== token.not
  const point = character.codePointAt(0)!
  return (point >= has.low.codePointAt(0)! && point <= has.high.codePointAt(0)!) !== token.not
}

/** One position of a simple glob: a character, any but a separator, a class, or a run. */
type Step = string | Token

/**
 * Matches text and single wildcards by going forward, and back to the last `*` where that fails. The leftmost match of
 * what stands between two stars is always good enough, since a star cannot cross a separator.
 */
function simpleMatcher(
  tokens: readonly Token[],
  separators: ReadonlySet<string>,
): ((text: string) => boolean) | undefined {
  const [first, second] = tokens
  if (first === undefined) return (text) => text === ''
  if (first.kind === 'text' && tokens.length === 1) return (text) => text === first.text
  if (first.kind === 'text' && tokens.length === 2 && second!.kind === 'super') {
    return (text) => text.startsWith(first.text)
  }
  if (tokens.some(({ kind }) => kind === 'super' || kind === 'open')) return undefined
  const steps = tokens.flatMap((token): readonly Step[] =>
    token.kind === 'text' ? Array.from(token.text) : [token],
  )
  return (text) => matchSteps(steps, separators, text)
}

function matchSteps(
  steps: readonly Step[],
  separators: ReadonlySet<string>,
  text: string,
): boolean {
  let at = 0
  let step = 0
  let starStep = -1
  let starAt = 0
  while (at < text.length) {
    const current = steps[step]
    const character = characterAt(text, at)
    if (typeof current === 'object' && current.kind === 'any') {
      starStep = step++
      starAt = at
    } else if (current !== undefined && accepts(current, character, separators)) {
      step++
      at += character.length
    } else {
      if (starStep < 0) return false
      const passed = characterAt(text, starAt)
      if (separators.has(passed)) return false
      starAt += passed.length
      at = starAt
      step = starStep + 1
    }
  }
  while (step < steps.length && isStar(steps[step]!)) step++
  return step === steps.length
}

function characterAt(text: string, at: number): string {
  const code = text.charCodeAt(at)
  return code < 0xd800 || code > 0xdbff ? text[at]! : String.fromCodePoint(text.codePointAt(at)!)
}

function isStar(step: Step): boolean {
  return typeof step === 'object' && step.kind === 'any'
}

function accepts(step: Step, character: string, separators: ReadonlySet<string>): boolean {
  if (typeof step === 'string') return step === character
  if (step.kind === 'single') return !separators.has(character)
  return step.kind === 'class' && isIn(character, step)
}

function toPattern(tokens: readonly Token[], separators: readonly string[]): string {
  const inner = separators.length === 0 ? '.' : `[^${separators.map(escapeInClass).join('')}]`
  let depth = 0
  const parts = tokens.map((token) => {
    switch (token.kind) {
      case 'text':
        return quotePattern(token.text)
      case 'any':
        return `${inner}*`
      case 'super':
        return '.*'
      case 'single':
        return inner
      case 'open':
        depth++
        return '(?:'
      case 'comma':
        return '|'
      case 'close':
        depth--
        return ')'
      case 'class':
        return classPattern(token)
    }
  })
  return parts.join('') + ')'.repeat(depth)
}

function classPattern({ not, has }: Token & { readonly kind: 'class' }): string {
  const members =
    'characters' in has
      ? [...has.characters].map(escapeInClass).join('')
      : `${escapeInClass(has.low)}-${escapeInClass(has.high)}`
  return `[${not ? '^' : ''}${members}]`
}

function escapeInClass(character: string): string {
  return `\\x{${character.codePointAt(0)!.toString(16)}}`
}
