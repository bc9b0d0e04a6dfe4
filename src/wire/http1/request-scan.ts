/**
 * Finds the end of a request head that arrives in pieces, and refuses early what can never become one.
 *
 * Without the early refusal a bare LF or an HTTP/0.9 line would wait for the header timeout instead of an answer.
 */
import { WireError } from '../wire-error.ts'
import type { Http1ServerOptions } from './server.ts'
import { readRequestLine, type RequestRules } from './request-head.ts'

const emptyLine = Buffer.from('\r\n\r\n')

/** The offset behind CRLFCRLF, or -1. What was searched before is searched again only where it could be half of it. */
export const findHeadEnd = (bytes: Buffer, searched: number): number => {
  const at = bytes.indexOf(emptyLine, Math.max(0, searched - 3))
  return at === -1 ? -1 : at + 4
}

/**
 * Looks at the bytes of an incomplete head that are new since `searched`. Gives whether the request line is complete
 * and was found good. Throws what the whole head would throw.
 */
export const checkPartialHead = (
  bytes: Buffer,
  searched: number,
  lineSeen: boolean,
  rules: RequestRules,
): boolean => {
  for (let i = searched; i < bytes.length; i++) {
    const code = bytes[i]!
    const afterCr = i > 0 && bytes[i - 1] === 0x0d
    if (code === 0x0a ? !afterCr : afterCr) throw malformed()
    if ((code < 0x20 && code !== 0x09 && code !== 0x0a && code !== 0x0d) || code === 0x7f)
      throw malformed()
  }
  let seen = lineSeen
  if (!seen) {
    const end = bytes.indexOf('\r\n')
    if (end !== -1) {
      readRequestLine(bytes.toString('latin1', 0, end), rules)
      seen = true
    } else if (bytes.length > rules.maxTarget + 64)
      throw new WireError(
        'target-too-long',
        `the request target is longer than ${rules.maxTarget} bytes`,
      )
  }
  if (bytes.length > rules.maxHead)
    throw new WireError('headers-too-large', `the head is longer than ${rules.maxHead} bytes`)
  return seen
}

const malformed = (): WireError =>
  new WireError('malformed', 'the head holds a control byte, or a bare CR or LF')

/** The rules of heads that follow from a listener's options. */
export const requestRules = (options: Http1ServerOptions): RequestRules => ({
  maxHead: options.limits.head_size,
  maxTarget: options.limits.target_size,
  mode: options.mode,
  target: {
    scheme: options.scheme,
    maxSegments: options.limits.path_segments,
    slashes: options.slashes,
  },
  fields: {
    maxCount: options.limits.header_count,
    underscores: options.underscores,
    repeats: 'refuse',
  },
})
