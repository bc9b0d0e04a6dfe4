/** PEM blocks (RFC 7468) as Go's encoding/pem finds them: the first in a text, whatever stands before it. */

export interface PemBlock {
  readonly type: string
  readonly bytes: Buffer
  /** What follows the block. */
  readonly rest: string
}

const begin = /(?:^|\n)-----BEGIN ([^\n-]*(?:-[^\n-]+)*)-----[ \t\r]*(?:\n|$)/g

/** Beginnings without an end that are looked at before a text is given up. */
const falseStartLimit = 100

/** The first block of `text`, or undefined when there is none. */
export function readPem(text: string): PemBlock | undefined {
  begin.lastIndex = 0
  for (let count = 0; count < falseStartLimit; count++) {
    const match = begin.exec(text)
    if (match === null) return undefined
    const type = match[1]!
    const start = match.index + match[0].length
    const end = `-----END ${type}-----`
    const at = text.indexOf(end, start)
    const isLineStart = at === start || text[at - 1] === '\n'
    const after = at < 0 ? undefined : /^[ \t\r]*(?:\n|$)/.exec(text.slice(at + end.length))
    const bytes = at < 0 || !isLineStart ? undefined : bodyOf(text.slice(start, at))
    if (bytes !== undefined && after !== undefined && after !== null) {
      return { type, bytes, rest: text.slice(at + end.length + after[0].length) }
    }
    begin.lastIndex = Math.max(match.index + 1, start - 1)
  }
  return undefined
}

/** The decoded body, after the header lines that it may start with. */
function bodyOf(text: string): Buffer | undefined {
  const body = /^(?:[^\n:]+:[^\n]*\n)+\s*/.exec(text)
  const base64 = text.slice(body?.[0].length ?? 0).replace(/\s+/g, '')
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(base64) || base64.length % 4 !== 0) return undefined
  return Buffer.from(base64, 'base64')
}

/** `bytes` as a block. */
export function writePem(type: string, bytes: Uint8Array): string {
  const body = Buffer.from(bytes).toString('base64').replace(/.{64}/g, '$&\n')
  return `-----BEGIN ${type}-----\n${body.replace(/\n$/, '')}\n-----END ${type}-----\n`
}
