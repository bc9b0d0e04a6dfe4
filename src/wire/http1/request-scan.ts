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

/** What is known of one head that has not arrived whole. */
export class RequestScan {
  readonly #rules: RequestRules
  #searched = 0
  #lineSeen = false
  #emptyLineSkipped = false

  constructor(rules: RequestRules) {
    this.#rules = rules
  }

  /** Whether nothing of a head was seen since the last reset. */
  get isFresh(): boolean {
    return this.#searched === 0
  }

  reset(): void {
    this.#searched = 0
    this.#lineSeen = false
    this.#emptyLineSkipped = false
  }

  /** Leaves out one empty line before a request, which some clients send behind a body (RFC 9112 §2.2). */
  withoutEmptyLine(bytes: Buffer): Buffer {
    if (bytes[0] !== 0x0d || bytes[1] !== 0x0a || this.#emptyLineSkipped) return bytes
    this.#emptyLineSkipped = true
    this.#searched = 0
    return bytes.subarray(2)
  }

  /** The offset behind the head, or -1 while it is incomplete. Throws what the whole head would throw. */
  find(bytes: Buffer): number {
    const end = findHeadEnd(bytes, this.#searched)
    if (end !== -1) return end
    checkNewBytes(bytes, this.#searched)
    this.#checkLine(bytes)
    const { maxHead } = this.#rules
    if (bytes.length > maxHead)
      throw new WireError('headers-too-large', `the head is longer than ${maxHead} bytes`)
    this.#searched = bytes.length
    return -1
  }

  #checkLine(bytes: Buffer): void {
    if (this.#lineSeen) return
    const { maxTarget } = this.#rules
    const end = bytes.indexOf('\r\n')
    if (end !== -1) {
      readRequestLine(bytes.toString('latin1', 0, end), this.#rules)
      this.#lineSeen = true
    } else if (bytes.length > maxTarget + 64)
      throw new WireError('target-too-long', `the request target is longer than ${maxTarget} bytes`)
  }
}

const checkNewBytes = (bytes: Buffer, from: number): void => {
  for (let i = from; i < bytes.length; i++) {
    const code = bytes[i]!
    const afterCr = i > 0 && bytes[i - 1] === 0x0d
    const isStray = code === 0x0a ? !afterCr : afterCr
    const isControl = code < 0x20 && code !== 0x09 && code !== 0x0a && code !== 0x0d
    if (isStray || isControl || code === 0x7f)
      throw new WireError('malformed', 'the head holds a control byte, or a bare CR or LF')
  }
}

const rulesByOptions = new WeakMap<Http1ServerOptions, RequestRules>()

/** The rules of heads that follow from a listener's options; made once for each listener. */
export const requestRules = (options: Http1ServerOptions): RequestRules => {
  const known = rulesByOptions.get(options)
  if (known !== undefined) return known
  const rules = rulesFrom(options)
  rulesByOptions.set(options, rules)
  return rules
}

const rulesFrom = (options: Http1ServerOptions): RequestRules => ({
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
