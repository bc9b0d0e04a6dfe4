/**
 * Whether two regex-style globs (`.`, sets, `+`, `*` and `\`) match a common text that is not empty, for
 * `regex.globs_match`. Two empty patterns match each other.
 *
 * Walks the product of the two patterns, once before and once after the first common character; the work is
 * proportional to the product of their lengths.
 */

/** A pattern that cannot be read; the message names the input and the position. */
export class GlobInputError extends Error {}

interface Range {
  readonly low: number
  readonly high: number
}

interface Token {
  /** By their ends, in order; undefined for `.`, which is any character. */
  readonly ranges: readonly Range[] | undefined
  readonly repeats: boolean
}

const positionsLimit = 4_000_000

/** @throws GlobInputError */
export function globsIntersect(left: string, right: string): boolean {
  const a = tokenize(left)
  const b = tokenize(right)
  const width = b.length + 1
  const size = (a.length + 1) * width
  if (size > positionsLimit) throw new GlobInputError('patterns are too long')
  if (a.length === 0 && b.length === 0) return true
  const seen = new Uint8Array(size * 2)
  const open = [0]
  seen[0] = 1
  const visit = (layer: number, i: number, j: number): void => {
    const position = layer * size + i * width + j
    if (seen[position] === 1) return
    seen[position] = 1
    open.push(position)
  }
  for (let position = open.pop(); position !== undefined; position = open.pop()) {
    const layer = position < size ? 0 : 1
    const i = Math.floor((position % size) / width)
    const j = position % width
    if (layer === 1 && i === a.length && j === b.length) return true
    const x = a[i]
    const y = b[j]
    if (x?.repeats === true) visit(layer, i + 1, j)
    if (y?.repeats === true) visit(layer, i, j + 1)
    if (x !== undefined && y !== undefined && overlap(x, y)) {
      visit(1, x.repeats ? i : i + 1, y.repeats ? j : j + 1)
    }
  }
  return false
}

function overlap(x: Token, y: Token): boolean {
  const { ranges: left } = x
  const { ranges: right } = y
  if (left === undefined) return right === undefined || right.length > 0
  if (right === undefined) return left.length > 0
  let i = 0
  let j = 0
  while (i < left.length && j < right.length) {
    const a = left[i]!
    const b = right[j]!
    if (a.low <= b.high && b.low <= a.high) return true
    if (a.high < b.high) i++
    else j++
  }
  return false
}

/** A token with `+` becomes the token once and then repeated. */
function tokenize(input: string): Token[] {
  const reader = new Reader(input)
  const tokens: Token[] = []
  for (let next = reader.next(); next !== undefined; next = reader.next()) {
    const ranges = readRanges(reader, next)
    const flag = reader.flag()
    if (flag !== '*') tokens.push({ ranges, repeats: false })
    if (flag !== undefined) tokens.push({ ranges, repeats: true })
  }
  return tokens
}

function readRanges(reader: Reader, { character, escaped }: Rune): readonly Range[] | undefined {
  if (!escaped && character === '.') return undefined
  if (!escaped && character === '[') return readSet(reader)
  if (!escaped && character === ']') reader.fail("set-close ']' with no preceding '['")
  if (!escaped && (character === '+' || character === '*')) {
    reader.fail(`flag '${character}' must be preceded by a non-flag`)
  }
  return [single(character)]
}

function single(character: string): Range {
  const point = character.codePointAt(0)!
  return { low: point, high: point }
}

function readSet(reader: Reader): readonly Range[] {
  const ranges: Range[] = []
  let previous: string | undefined
  for (let next = reader.next(); next !== undefined; next = reader.next()) {
    const { character, escaped } = next
    if (!escaped && character === ']') return ranges.sort((a, b) => a.high - b.high)
    if (escaped || character !== '-') {
      ranges.push(single(character))
      previous = character
      continue
    }
    if (previous === undefined) {
      reader.fail("range character '-' must be preceded by a Unicode character")
    }
    ranges.push(readRange(reader, previous))
    previous = undefined
  }
  return reader.fail('found [ without matching ]')
}

function readRange(reader: Reader, low: string): Range {
  const high =
    reader.next() ?? reader.fail("range character '-' must be followed by a Unicode character")
  if (!high.escaped && (high.character === ']' || high.character === '-')) {
    reader.fail("range character '-' cannot be followed by a special symbol")
  }
  const range = { low: low.codePointAt(0)!, high: high.character.codePointAt(0)! }
  if (range.high < range.low) {
    reader.fail(`range is out of order: '${high.character}' comes before '${low}' in Unicode`)
  }
  return range
}

interface Rune {
  readonly character: string
  readonly escaped: boolean
}

class Reader {
  readonly #input: string
  readonly #characters: readonly string[]
  #at = 0

  constructor(input: string) {
    this.#input = input
    this.#characters = Array.from(input)
  }

  next(): Rune | undefined {
    const character = this.#characters[this.#at]
    if (character === undefined) return undefined
    this.#at++
    if (character !== '\\') return { character, escaped: false }
    const escaped = this.#characters[this.#at]
    if (escaped === undefined) this.fail('input ends with a \\ (escape) character')
    this.#at++
    return { character: escaped, escaped: true }
  }

  flag(): '+' | '*' | undefined {
    const character = this.#characters[this.#at]
    if (character !== '+' && character !== '*') return undefined
    this.#at++
    return character
  }

  fail(what: string): never {
    throw new GlobInputError(
      `input:${this.#input}, pos:${this.#at}, ${what}: the input provided is invalid`,
    )
  }
}
