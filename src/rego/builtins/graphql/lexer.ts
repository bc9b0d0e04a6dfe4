/** Tokens of GraphQL texts (October 2021, §2.1), with the positions and messages of OPA's parser. */
import { quoteGo } from '../go/quote.ts'
import { GraphqlError, type Position } from './nodes.ts'

export interface Token {
  /** `Name`, `Int`, `Float`, `String`, `BlockString`, a punctuator, `<EOF>` or `<Invalid>`. */
  readonly kind: string
  readonly value: string
  readonly position: Position
  /** What is wrong, when the text has no token here; thrown when the token is taken. */
  readonly error?: GraphqlError
}

export function tokenText(token: Token): string {
  return token.value === '' ? token.kind : `${token.kind} ${quoteGo(token.value)}`
}

const punctuators = new Set('!$&():=@[]{}|')

export class Lexer {
  readonly #characters: readonly string[]
  #at = 0
  #line = 1
  #lineStart = 0

  constructor(text: string) {
    this.#characters = Array.from(text)
  }

  read(): Token {
    this.#skipIgnored()
    const start = this.#at
    const character = this.#characters[start]
    if (character === undefined) return this.#token('<EOF>', '', start)
    if (punctuators.has(character)) {
      this.#at++
      return this.#token(character, '', start)
    }
    if (character === '.' && this.#starts('...')) {
      this.#at += 3
      return this.#token('...', '', start)
    }
    if (/[_A-Za-z]/.test(character)) return this.#name(start)
    if (/[-0-9]/.test(character)) return this.#number(start)
    if (character === '"') return this.#starts('"""') ? this.#block(start) : this.#string()
    if (character < ' ') {
      const code = String(character.codePointAt(0)).padStart(4, '0')
      return this.#invalid(`Cannot contain the invalid character "\\u${code}"`)
    }
    if (character === "'") {
      return this.#invalid(
        `Unexpected single quote character ('), did you mean to use a double quote (")?`,
      )
    }
    return this.#invalid(`Cannot parse the unexpected character "${character}".`)
  }

  #starts(text: string): boolean {
    return this.#characters.slice(this.#at, this.#at + text.length).join('') === text
  }

  #token(kind: string, value: string, start: number): Token {
    return { kind, value, position: { line: this.#line, column: start - this.#lineStart + 1 } }
  }

  #invalid(message: string): Token {
    const position = { line: this.#line, column: this.#at - this.#lineStart + 1 }
    return { kind: '<Invalid>', value: '', position, error: new GraphqlError(message, position) }
  }

  #skipIgnored(): void {
    for (;;) {
      const character = this.#characters[this.#at]
      if (character === '#') {
        while (this.#at < this.#characters.length && !'\n\r'.includes(this.#characters[this.#at]!))
          this.#at++
      } else if (character === '\n' || character === '\r') {
        this.#newLine()
      } else if (
        character === '\t' ||
        character === ' ' ||
        character === ',' ||
        character === '\ufeff'
      ) {
        this.#at++
      } else return
    }
  }

  #newLine(): void {
    const crlf = this.#characters[this.#at] === '\r' && this.#characters[this.#at + 1] === '\n'
    this.#at += crlf ? 2 : 1
    this.#line++
    this.#lineStart = this.#at
  }

  #name(start: number): Token {
    while (/[_0-9A-Za-z]/.test(this.#characters[this.#at] ?? '')) this.#at++
    return this.#token('Name', this.#characters.slice(start, this.#at).join(''), start)
  }

  #digits(): number {
    const start = this.#at
    while (/[0-9]/.test(this.#characters[this.#at] ?? '')) this.#at++
    return this.#at - start
  }

  #next(): string {
    const character = this.#characters[this.#at]
    return character === undefined ? '<EOF>' : `"${character}"`
  }

  #number(start: number): Token {
    let kind = 'Int'
    if (this.#characters[this.#at] === '-') this.#at++
    const first = this.#characters[this.#at]
    if (first === '0') {
      this.#at++
      if (/[0-9]/.test(this.#characters[this.#at] ?? '')) {
        return this.#invalid(`Invalid number, unexpected digit after 0: ${this.#next()}.`)
      }
    } else if (this.#digits() === 0) return this.#noDigit()
    if (this.#characters[this.#at] === '.') {
      kind = 'Float'
      this.#at++
      if (this.#digits() === 0) return this.#noDigit()
    }
    if (/[eE]/.test(this.#characters[this.#at] ?? '')) {
      kind = 'Float'
      this.#at++
      if (/[+-]/.test(this.#characters[this.#at] ?? '')) this.#at++
      if (this.#digits() === 0) return this.#noDigit()
    }
    return this.#token(kind, this.#characters.slice(start, this.#at).join(''), start)
  }

  #noDigit(): Token {
    return this.#invalid(`Invalid number, expected digit but got: ${this.#next()}.`)
  }

  #string(): Token {
    this.#at++
    const start = this.#at
    let value = ''
    while (this.#at < this.#characters.length) {
      const character = this.#characters[this.#at]!
      if (character === '"') {
        const token = this.#token('String', value, start)
        this.#at++
        return token
      }
      if (character === '\n' || character === '\r') break
      if (character < ' ' && character !== '\t') {
        const code = String(character.codePointAt(0)).padStart(4, '0')
        return this.#invalid(`Invalid character within String: "\\u${code}".`)
      }
      if (character !== '\\') {
        value += character
        this.#at++
        continue
      }
      const escaped = this.#escape()
      if (typeof escaped !== 'string') return escaped
      value += escaped
    }
    return this.#invalid('Unterminated string.')
  }

  #escape(): string | Token {
    const rest = this.#characters.slice(this.#at + 1, this.#at + 6).join('')
    this.#at++
    if (rest === '') return this.#invalid('Invalid character escape sequence.')
    if (rest.startsWith('u')) {
      if (!/^u[0-9a-fA-F]{4}$/.test(rest))
        return this.#invalid(`Invalid character escape sequence: \\${rest}.`)
      this.#at += 5
      return String.fromCharCode(Number.parseInt(rest.slice(1), 16))
    }
    const single = escapes.get(rest[0]!)
    if (single === undefined)
      return this.#invalid(`Invalid character escape sequence: \\${rest[0]}.`)
    this.#at++
    return single
  }

  #block(quote: number): Token {
    this.#at = quote + 3
    let value = ''
    while (this.#at < this.#characters.length) {
      const character = this.#characters[this.#at]!
      if (this.#starts('"""')) {
        const token = this.#token('BlockString', blockValue(value), quote + 3)
        this.#at += 3
        return token
      }
      if (this.#starts('\\"""')) {
        value += '"""'
        this.#at += 4
      } else if (character === '\n' || character === '\r') {
        value += '\n'
        this.#newLine()
      } else if (character < ' ' && character !== '\t') {
        const code = String(character.codePointAt(0)).padStart(4, '0')
        return this.#invalid(`Invalid character within String: "\\u${code}".`)
      } else {
        value += character
        this.#at++
      }
    }
    return this.#invalid('Unterminated string.')
  }
}

const escapes = new Map([
  ['"', '"'],
  ['/', '/'],
  ['\\', '\\'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
])

/** The text without the indentation that its lines share, and without blank lines at its ends. */
function blockValue(raw: string): string {
  const lines = raw.split('\n')
  const indents = lines
    .slice(1)
    .filter((line) => line.trim() !== '')
    .map((line) => /^[ \t]*/.exec(line)![0].length)
  const common = Math.min(...indents, Number.MAX_SAFE_INTEGER)
  const cut = lines.map((line, index) => (index === 0 ? line : line.slice(common)))
  while (cut.length > 0 && cut[0]!.trim() === '') cut.shift()
  while (cut.length > 0 && cut.at(-1)!.trim() === '') cut.pop()
  return cut.join('\n')
}
