/**
 * Judges what a third party answers (OWASP API10:2023): first the head, then, if somebody must see it, the body.
 *
 * For the egress line. The head decides whether the body streams through under a byte count or is held until it has been
 * read; good bodies leave as the very bytes that came. Time limits are the line's, because it owns the clock.
 */
import { isJsonType, mediaType, typeCovers } from '../contract/media-type.ts'
import type { Violation } from '../contract/operation-check.ts'
import type { ApiEntry, Operation } from '../entry/entry.ts'
import { canonicalHost, coversHost } from '../entry/host.ts'
import { decompress } from './decompress.ts'
import { headerValues } from './finding.ts'
import type { BodyVerdict, Finding } from './finding.ts'
import { scanJson } from './json-scanner.ts'
import { parseExact, writeExact } from './json-text.ts'
import { checkPlainText } from './plain-text.ts'

/** The head of an answer. */
export interface ResponseHead {
  readonly status: number
  readonly headers: readonly (readonly [name: string, value: string])[]
}

/** What the answer is to; `operation` is undefined for a call that passed undeclared in observe mode. */
export interface AnsweredCall {
  readonly entry: ApiEntry
  readonly operation: Operation | undefined
  readonly method: string
  /** Absolute URL of the call, to resolve `Location` against. */
  readonly url: string
}

/** What to do with the body, or why there will be none. */
export type ResponsePlan =
  | {
      readonly decision: 'stream' | 'hold'
      /** Most bytes of body to take, as they travel. */
      readonly limit: number
      readonly observed: readonly Finding[]
    }
  | { readonly decision: 'refuse'; readonly finding: Finding }

const unsafe = (reason: string, detail: string, hint: string): Finding => ({
  code: 'api.response-unsafe',
  reason,
  detail,
  hint,
})

/** The finding for a body that grew over the limit of its plan. */
export const tooLarge = (entry: ApiEntry): Finding => ({
  code: 'api.response-too-large',
  reason: 'response-size',
  detail: `the answer of ${entry.name} is longer than ${entry.distrust.response_size} bytes`,
  hint: `raise distrust.response_size in ${entry.file} if it is meant`,
})

const hasBody = (method: string, status: number): boolean =>
  method !== 'HEAD' && status >= 200 && status !== 204 && status !== 304

/** Judges the head of an answer. Size and header limits are always enforced. */
export const planResponse = (call: AnsweredCall, head: ResponseHead): ResponsePlan => {
  const { entry } = call
  const limits = entry.distrust
  const refuse = (finding: Finding): ResponsePlan => ({ decision: 'refuse', finding })
  if (head.headers.length > limits.response_header_count) {
    return refuse(
      unsafe(
        'header-count',
        `the answer has ${head.headers.length} headers`,
        `raise distrust.response_header_count in ${entry.file} if it is meant`,
      ),
    )
  }
  const headerSize = head.headers.reduce(
    (size, [name, value]) => size + name.length + value.length + 4,
    0,
  )
  if (headerSize > limits.response_header_size) {
    return refuse(
      unsafe(
        'header-size',
        `the headers of the answer take ${headerSize} bytes`,
        `raise distrust.response_header_size in ${entry.file} if it is meant`,
      ),
    )
  }
  const redirect = judgeRedirect(call, head)
  if (redirect && entry.redirects.mode === 'enforce') return refuse(redirect)
  const observed = redirect ? [redirect] : []
  if (!hasBody(call.method, head.status)) return { decision: 'stream', limit: 0, observed }
  const length = Number(headerValues(head.headers, 'content-length')[0] ?? 0)
  if (length > limits.response_size) return refuse(tooLarge(entry))
  const mismatch = contentTypeMismatch(entry, head)
  if (mismatch) return refuse(mismatch)
  return {
    decision: mustHold(call, head) ? 'hold' : 'stream',
    limit: limits.response_size,
    observed,
  }
}

const contentTypeMismatch = (entry: ApiEntry, head: ResponseHead): Finding | undefined => {
  const types = headerValues(head.headers, 'content-type')
  const hint = `list the type under distrust.content_types in ${entry.file} if it is meant`
  if (new Set(types.map(mediaType)).size > 1)
    return unsafe('content-type', 'the answer has two different content types', 'ask the vendor')
  const allowed = entry.distrust.content_types
  const type = mediaType(types[0] ?? '')
  if (allowed.length === 0 || allowed.some((one) => typeCovers(one.toLowerCase(), type)))
    return undefined
  return unsafe(
    'content-type',
    `the answer is ${/^[\w.+-]+\/[\w.+-]+$/.test(type) ? type : 'of no type'}, not ${allowed.join(' or ')}`,
    hint,
  )
}

const mustHold = (call: AnsweredCall, head: ResponseHead): boolean => {
  const { entry, operation } = call
  const isJson = isJsonType(mediaType(headerValues(head.headers, 'content-type')[0] ?? ''))
  if (isJson && entry.distrust.json !== 'off') return true
  if (entry.validation.response !== 'off' && operation?.check) return true
  return isJson && entry.validation.text !== 'off' && (operation?.text.length ?? 0) > 0
}

/** A 3xx whose target is not declared, or undefined. Redirects are never followed; the app sees declared ones. */
export const judgeRedirect = (call: AnsweredCall, head: ResponseHead): Finding | undefined => {
  if (head.status < 300 || head.status > 399 || head.status === 304) return undefined
  const locations = headerValues(head.headers, 'location')
  if (locations.length === 0) return undefined
  const finding = (detail: string): Finding => ({
    code: 'api.redirect',
    reason: 'redirect',
    detail,
    hint: `list the target under redirects.targets in ${call.entry.file} if it is meant`,
  })
  if (locations.length > 1) return finding('the answer has two Location headers')
  // A backslash, a control or a space inside is read differently by different clients.
  const target = /[\\\p{Cc}\s]/u.test(locations[0]!) ? null : URL.parse(locations[0]!, call.url)
  if (!target || target.username !== '' || target.password !== '')
    return finding('the answer redirects to something that is no plain URL')
  if (target.protocol !== 'https:' && !(target.protocol === 'http:' && call.entry.unsafe_plaintext))
    return finding(
      `the answer redirects to ${/^[a-z]+:$/.test(target.protocol) ? target.protocol.slice(0, -1) : 'another scheme'}`,
    )
  const host = canonicalHost(target.hostname)
  const port = Number(target.port || (target.protocol === 'https:' ? 443 : 80))
  if (host.kind === 'fault') return finding('the answer redirects to a malformed host')
  const declared = [...call.entry.hosts, ...call.entry.redirects.targets]
  if (declared.some((one) => one.port === port && coversHost(one, host.host))) return undefined
  return finding(`the answer redirects to ${host.host}:${port}, which is not declared`)
}

/** The finding for a streamed body that begins as HTML although its type says otherwise. */
export const sniffMismatch = (head: ResponseHead, firstBytes: Buffer): Finding | undefined => {
  const type = mediaType(headerValues(head.headers, 'content-type')[0] ?? '')
  if (/html|xml|octet-stream/.test(type)) return undefined
  const start = firstBytes
    .subarray(0, 256)
    .toString('latin1')
    .replace(/^\u00ef\u00bb\u00bf/, '')
    .trimStart()
  return /^<(!doctype html|html|head|body|script|iframe)[\s>]/i.test(start)
    ? unsafe(
        'content-type',
        'the answer is HTML, but its content type says otherwise',
        'ask the vendor',
      )
    : undefined
}

/** Judges a held body; `body` is as it travelled. */
export const judgeResponseBody = async (
  call: AnsweredCall,
  head: ResponseHead,
  body: Buffer,
): Promise<BodyVerdict> => {
  const { entry, operation } = call
  const { distrust, validation } = entry
  const observed: Finding[] = []
  const pass = (
    change: { readonly text: string; readonly redactions: number } | undefined,
    schemaValid: boolean | undefined,
  ): BodyVerdict => ({
    decision: 'pass',
    body: change ? Buffer.from(change.text) : body,
    rewritten: change ? 'yes' : 'no',
    redactions: change?.redactions ?? 0,
    observed,
    schemaValid,
  })
  const refuse = (finding: Finding): BodyVerdict => ({ decision: 'refuse', finding, observed })
  if (body.length > distrust.response_size) return refuse(tooLarge(entry))
  const encoding = headerValues(head.headers, 'content-encoding').join(', ')
  const opened = await decompress(body, encoding, {
    size: distrust.decompressed_size,
    ratio: distrust.decompression_ratio,
  })
  if (opened.kind === 'refused')
    return refuse(
      unsafe(
        opened.reason,
        `the answer of ${entry.name}: ${opened.detail}`,
        `see distrust in ${entry.file}`,
      ),
    )
  const plain = opened.body
  const isJson =
    isJsonType(mediaType(headerValues(head.headers, 'content-type')[0] ?? '')) && plain.length > 0
  if (isJson && distrust.json !== 'off') {
    const fault = scanJson(plain, { depth: distrust.json_depth, keys: distrust.json_keys })
    const finding =
      fault &&
      unsafe(
        fault.reason,
        `the answer of ${entry.name} has ${fault.detail}`,
        `ask the vendor; limits are under distrust in ${entry.file}`,
      )
    if (finding && distrust.json === 'enforce') return refuse(finding)
    // What no parser may be trusted with is not parsed here either.
    if (finding) {
      observed.push(finding)
      return pass(undefined, undefined)
    }
  }
  let value: unknown
  let redactions = 0
  const wantsStrip = validation.response === 'strip' && operation?.check !== undefined && isJson
  const wantsText = validation.text !== 'off' && isJson && (operation?.text.length ?? 0) > 0
  if (wantsStrip || wantsText) {
    // JSON with `distrust.json: off` was not scanned, so it may not be JSON at all.
    try {
      value = parseExact(plain.toString().replace(/^\uFEFF/, ''))
    } catch {
      return refuse(
        unsafe('json-malformed', `the answer of ${entry.name} is not JSON`, 'ask the vendor'),
      )
    }
  }
  if (wantsStrip) {
    const stripped = operation.check.strip(head, value)
    value = stripped.value
    redactions += stripped.dropped
  }
  let schemaValid: boolean | undefined
  if (validation.response !== 'off' && operation?.check) {
    const judged = redactions > 0 ? Buffer.from(writeExact(value)) : plain
    const violations = operation.check.response({
      ...head,
      body: call.method === 'HEAD' ? undefined : judged,
    })
    schemaValid = violations.length === 0
    const finding = violations[0] && broken(entry, operation, violations[0])
    if (finding && validation.response !== 'observe') return refuse(finding)
    if (finding) observed.push(finding)
  }
  if (wantsText) {
    const texts = checkPlainText(value, operation!.text)
    if (texts.found.length > 0 && validation.text === 'refuse')
      return refuse(
        unsafe(
          'markup',
          `field ${texts.found[0]} of the answer of ${entry.name} is declared as text and carries markup`,
          'ask the vendor, or set validation.text: escape',
        ),
      )
    value = texts.value
    redactions += texts.found.length
  }
  return pass(redactions > 0 ? { text: writeExact(value), redactions } : undefined, schemaValid)
}

const broken = (entry: ApiEntry, operation: Operation, violation: Violation): Finding => ({
  code: 'api.response-contract',
  reason: `response-${violation.place}`,
  detail: `the answer of ${entry.name} to ${operation.id} breaks its contract: ${violation.detail} (${violation.rule})`,
  hint: `ask ${entry.owner}; the contract is named in ${entry.file}`,
})
