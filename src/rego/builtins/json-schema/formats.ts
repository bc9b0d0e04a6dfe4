/** Formats of JSON Schema texts. A format that is not known accepts every text, as the specification has it. */
import { parseUrl } from '../go/url.ts'
import { parseIp } from '../net/address.ts'
import { isPattern } from '../text/regex.ts'
import { parseTime } from '../time/parse.ts'

type Check = (text: string) => boolean

function succeeds(run: () => unknown): boolean {
  try {
    run()
    return true
  } catch {
    return false
  }
}

function isTime(...layouts: string[]): Check {
  return (text) => layouts.some((layout) => succeeds(() => parseTime(layout, text)))
}

const hostLabel = /^[a-zA-Z0-9_](?:[a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?$/

function isHostname(text: string): boolean {
  return (
    text.length < 256 &&
    text
      .replace(/\.$/, '')
      .split('.')
      .every((label) => hostLabel.test(label))
  )
}

function isEmail(text: string): boolean {
  const at = text.lastIndexOf('@')
  return at > 0 && at < text.length - 1 && !/\s/.test(text)
}

function isUri(text: string): boolean {
  return !text.includes('\\') && succeeds(() => parseUrl(text)) && parseUrl(text).scheme !== ''
}

function isUriReference(text: string): boolean {
  return !text.includes('\\') && succeeds(() => parseUrl(text))
}

const pointer = /^(?:\/(?:[^~/]|~[01])*)*$/

const checks = new Map<string, Check>([
  ['date', isTime('2006-01-02')],
  ['time', isTime('15:04:05', '15:04:05Z07:00', '15:04:05.999999999Z07:00')],
  ['date-time', isTime('2006-01-02T15:04:05Z07:00', '2006-01-02', '15:04:05', '15:04:05Z07:00')],
  ['hostname', isHostname],
  ['email', isEmail],
  ['idn-email', isEmail],
  ['ipv4', (text) => parseIp(text)?.version === 4 && text.includes('.') && !text.includes(':')],
  ['ipv6', (text) => parseIp(text) !== undefined && text.includes(':')],
  ['uri', isUri],
  ['iri', isUri],
  ['uri-reference', isUriReference],
  ['iri-reference', isUriReference],
  ['uri-template', (text) => isUriReference(text) && balanced(text)],
  ['uuid', (text) => /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(text)],
  ['regex', (text) => isPattern(text)],
  ['json-pointer', (text) => pointer.test(text)],
  ['relative-json-pointer', (text) => /^(?:0|[1-9]\d*)(?:#|(?:\/(?:[^~/]|~[01])*)*)$/.test(text)],
])

function balanced(text: string): boolean {
  return /^(?:[^{}]|\{[^{}]*\})*$/.test(text)
}

export function hasFormat(format: string, text: string): boolean {
  return checks.get(format)?.(text) ?? true
}
