/**
 * The `traceparent` and `tracestate` headers (W3C Trace Context, level 2): strict reading, normal-form writing.
 *
 * Used by `boundary.ts`, which decides whether what was read may be trusted. Reading never throws: a header that is
 * not valid is the same as none, because a broken trace must not break a request.
 */
import type { TraceContext } from './span.ts'

const traceparentPattern = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/
const zeroTrace = '0'.repeat(32)
const zeroSpan = '0'.repeat(16)
const sampledFlag = 0x01
const randomFlag = 0x02

const longestTraceparent = 512
const longestState = 512
const mostMembers = 32
/** §3.3.1.3.1, level 2: an at sign has no meaning of its own any more, and cannot stand first. */
const keyPattern = /^[a-z0-9][a-z0-9_\-*/@]{0,255}$/
/** §3.3.1.3.2: printable, without comma and equals sign, not ending in a space. */
const valuePattern = /^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/

const trimSpace = (text: string): string => text.replace(/^[ \t]+|[ \t]+$/g, '')

/**
 * Reads all values of the `traceparent` header; more than one is invalid (§3.2). A version above 00 is read as far
 * as version 00 goes (§4.3). The state is left empty.
 */
export const parseTraceparent = (values: readonly string[]): TraceContext | undefined => {
  const only = values[0]
  if (only === undefined || values.length > 1 || only.length > longestTraceparent) return undefined
  const match = traceparentPattern.exec(trimSpace(only))
  if (!match) return undefined
  const [, version, traceId = '', spanId = '', flagText = '', rest] = match
  if (version === 'ff') return undefined
  if (version === '00' && rest !== undefined) return undefined
  if (traceId === zeroTrace || spanId === zeroSpan) return undefined
  const flags = Number.parseInt(flagText, 16)
  const sampled = (flags & sampledFlag) !== 0
  const random = (flags & randomFlag) !== 0
  return { traceId, spanId, sampled, random, state: '' }
}

/**
 * Reads all values of the `tracestate` header into one normal form, or '' when any of it is invalid (§3.3). Of two
 * members with one key the first stays. A list that is too long loses its longest members above 128 characters
 * first, then its last ones (§3.3.1.5).
 */
export const parseTracestate = (values: readonly string[]): string => {
  if (values.length === 0) return ''
  const texts = values.join(',')
  if (texts.length > 16 * longestState) return ''
  const members = new Map<string, string>()
  let count = 0
  for (const part of texts.split(',')) {
    const member = trimSpace(part)
    if (member === '') continue
    const at = member.indexOf('=')
    const key = member.slice(0, at)
    if (at < 1 || !keyPattern.test(key) || !valuePattern.test(member.slice(at + 1))) return ''
    if ((count += 1) > mostMembers) return ''
    if (!members.has(key)) members.set(key, member)
  }
  return shorten([...members.values()])
}

const shorten = (members: string[]): string => {
  let length = members.reduce((sum, member) => sum + member.length + 1, -1)
  for (let index = members.length - 1; index >= 0 && length > longestState; index -= 1) {
    if (members[index]!.length <= 128) continue
    length -= members[index]!.length + 1
    members.splice(index, 1)
  }
  while (length > longestState) length -= members.pop()!.length + 1
  return members.join(',')
}

/** The `traceparent` value for what is sent next: always version 00 and only the flags that are known. */
export const formatTraceparent = (context: TraceContext): string => {
  const flags = (context.sampled ? sampledFlag : 0) | (context.random ? randomFlag : 0)
  return `00-${context.traceId}-${context.spanId}-0${flags}`
}

/** The value of one member of the state, or undefined. */
export const stateMember = (state: string, key: string): string | undefined => {
  for (const member of state.split(',')) {
    if (member.startsWith(`${key}=`)) return member.slice(key.length + 1)
  }
  return undefined
}

/** The state with `key=value` as its first member, an older one of that key removed (§3.5: the last writer stands left). */
export const withStateMember = (state: string, key: string, value: string): string => {
  const rest = state.split(',').filter((member) => member !== '' && !member.startsWith(`${key}=`))
  return shorten([`${key}=${value}`, ...rest.slice(0, mostMembers - 1)])
}
