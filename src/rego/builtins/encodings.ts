/** Base64, hexadecimal, URLs and query strings. Decoded bytes that are no text stay bytes, see `go/bytes.ts`. */
import { isArray, isObject, objectEntries, RegoObject, type Value } from '../values.ts'
import { toJson } from '../value-text.ts'
import { decodeBase64, decodeBase64Url, decodeHex, DecodeError } from './go/base64.ts'
import { bytesOf, textOf } from './go/bytes.ts'
import { escapeUrl, parseQuery, parseUrl, unescapeUrl, UrlError } from './go/url.ts'
import { fail, failOperand, objectOperand, stringOperand, type FunctionTable } from './operand.ts'

function reading<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof DecodeError || error instanceof UrlError) fail(error.message)
    throw error
  }
}

function decodes(text: Value, decode: (text: string) => unknown): boolean {
  if (typeof text !== 'string') return false
  try {
    decode(text)
    return true
  } catch {
    return false
  }
}

function base64Url(text: string): string {
  return bytesOf(text).toString('base64').replaceAll('+', '-').replaceAll('/', '_')
}

function encodeObject(value: Value): string {
  const object = toJson(objectOperand(value, 1))
  const pairs: (readonly [string, string])[] = []
  if (!isObject(object)) return ''
  for (const { key, value: member } of objectEntries(object)) {
    const values = isArray(member) ? member : [member]
    for (const text of values) {
      if (typeof text !== 'string') {
        failOperand(1, 'values must be string, array[string], or set[string]')
      }
      pairs.push([key as string, text])
    }
  }
  return pairs
    .map(([name, text]) => `${escapeUrl(name, 'query')}=${escapeUrl(text, 'query')}`)
    .join('&')
}

function decodeObject(query: string): RegoObject {
  const values = new Map<string, string[]>()
  for (const [name, value] of reading(() => parseQuery(query))) {
    const list = values.get(name)
    if (list === undefined) values.set(name, [value])
    else list.push(value)
  }
  return new RegoObject(values)
}

/** The parts that a URI has; an absent part has no key. */
function parseUri(text: string): Value {
  const url = reading(() => parseUrl(text))
  const parts: readonly (readonly [string, string])[] = [
    ['scheme', url.scheme],
    ['hostname', url.hostname],
    ['port', url.port],
    ['path', url.path],
    ['raw_path', url.path === '' ? '' : url.rawPath || url.path],
    ['raw_query', url.rawQuery],
    ['fragment', url.fragment],
  ]
  return new RegoObject(parts.filter(([, part]) => part !== ''))
}

export const encodingFunctions: FunctionTable = {
  'base64.encode': (_, text) => bytesOf(stringOperand(text, 1)).toString('base64'),
  'base64.decode': (_, text) => {
    const source = stringOperand(text, 1)
    return textOf(reading(() => decodeBase64(source)))
  },
  'base64.is_valid': (_, text) => decodes(text, decodeBase64),
  'base64url.encode': (_, text) => base64Url(stringOperand(text, 1)),
  'base64url.encode_no_pad': (_, text) => bytesOf(stringOperand(text, 1)).toString('base64url'),
  'base64url.decode': (_, text) => {
    const source = stringOperand(text, 1)
    return textOf(reading(() => decodeBase64Url(source)))
  },
  'hex.encode': (_, text) => bytesOf(stringOperand(text, 1)).toString('hex'),
  'hex.decode': (_, text) => {
    const source = stringOperand(text, 1)
    return textOf(reading(() => decodeHex(source)))
  },
  'urlquery.encode': (_, text) => escapeUrl(stringOperand(text, 1), 'query'),
  'urlquery.decode': (_, text) => {
    const source = stringOperand(text, 1)
    return reading(() => unescapeUrl(source, 'query'))
  },
  'urlquery.encode_object': (_, object) => encodeObject(object),
  'urlquery.decode_object': (_, query) => decodeObject(stringOperand(query, 1)),
  'uri.parse': (_, text) => parseUri(stringOperand(text, 1)),
  'uri.is_valid': (_, text) => text !== '' && decodes(text, parseUrl),
}
