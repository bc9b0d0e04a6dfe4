/** Go's quoted strings (`%q`), for messages and for `sprintf`. */

const printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u
const shortEscapes: Readonly<Record<string, string>> = {
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
}

/** Whether Go prints the code point as itself. */
export function isPrintable(character: string): boolean {
  return printable.test(character)
}

/** `text` in quotes as Go writes it; `quote` is `"` or `'`, `ascii` escapes everything above U+007F. */
export function quoteGo(
  text: string,
  quote: '"' | "'" = '"',
  range: 'ascii' | 'unicode' = 'unicode',
): string {
  let out = quote as string
  for (const character of text) {
    const code = character.codePointAt(0)!
    if (character === quote) out += `\\${quote}`
    else if (shortEscapes[character] !== undefined) out += shortEscapes[character]
    else if (code < 0x80 ? code >= 32 && code < 127 : range === 'unicode' && isPrintable(character))
      out += character
    else if (code >= 0xdc80 && code <= 0xdcff) out += `\\x${hex(code - 0xdc00, 2)}`
    else if (code < 32 || code === 127) out += `\\x${hex(code, 2)}`
    else if (code < 0x10000) out += `\\u${hex(code, 4)}`
    else out += `\\U${hex(code, 8)}`
  }
  return out + quote
}

function hex(code: number, width: number): string {
  return code.toString(16).padStart(width, '0')
}
