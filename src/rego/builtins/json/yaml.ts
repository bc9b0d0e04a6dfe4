/**
 * YAML as OPA reads and writes it: YAML 1.1 in, keys as text and no tags of its own; block style with sorted keys out.
 *
 * Aliases are limited, so that a small text cannot stand for a huge document.
 */
import {
  LineCounter,
  parseDocument,
  Scalar,
  stringify,
  type Document,
  type ScalarTag,
  type Tags,
} from 'yaml'
import { fromBigInt, fromDouble, isNumber, numberToText } from '../../numbers.ts'
import { toJson } from '../../value-text.ts'
import { isArray, isObject, objectEntries, type Value } from '../../values.ts'

/** Text that is not YAML, worded like Go's. */
export class YamlError extends Error {}

const aliasLimit = 1000
const dropped = new Set(['timestamp', 'binary', 'omap', 'pairs', 'set'])

/** The first document of `text`. @throws YamlError */
export function parseYaml(text: string): Value {
  const lines = new LineCounter()
  const document = parseDocument(text, {
    version: '1.1',
    intAsBigInt: true,
    lineCounter: lines,
    uniqueKeys: true,
    strict: true,
    logLevel: 'silent',
    customTags: withoutOwnTypes,
  })
  const error = document.errors[0]
  if (error !== undefined) {
    const line = lines.linePos(error.pos[0]).line
    throw new YamlError(`yaml: line ${line}: ${reason(error.code, error.message)}`)
  }
  return fromDocument(plainDocument(document))
}

function plainDocument(document: Document): unknown {
  try {
    return document.toJS({ maxAliasCount: aliasLimit, mapAsMap: true })
  } catch (error) {
    if (error instanceof RangeError) throw error
    const tooMany = error instanceof ReferenceError
    throw new YamlError(
      tooMany
        ? 'yaml: document contains excessive aliasing'
        : 'yaml: map merge requires map or sequence of maps as the value',
    )
  }
}

function withoutOwnTypes(tags: Tags): Tags {
  return tags.filter((tag) => {
    const name = typeof tag === 'string' ? tag : tag.tag
    const short = name.replace('tag:yaml.org,2002:', '')
    const sexagesimal = typeof tag !== 'string' && (tag as ScalarTag).format === 'TIME'
    return !dropped.has(short) && !sexagesimal
  })
}

function reason(code: string, message: string): string {
  const first = message.split('\n')[0]!.replace(/ at line \d+, column \d+:?$/, '')
  switch (code) {
    case 'MISSING_CHAR':
    case 'BAD_INDENT':
    case 'BLOCK_IN_FLOW':
      return `did not find expected ${/\bflow map|\}/.test(first) ? "',' or '}'" : /\]|sequence/.test(first) ? "',' or ']'" : 'key'}`
    case 'DUPLICATE_KEY':
      return 'key already set in map'
    default:
      return `could not parse: ${first.toLowerCase()}`
  }
}

function fromDocument(node: unknown): Value {
  if (node === undefined || node === null) return null
  if (typeof node === 'bigint') return fromBigInt(node)
  if (typeof node === 'number') {
    if (!Number.isFinite(node)) throw new YamlError(`json: unsupported value: ${node}`)
    return fromDouble(node)
  }
  if (Array.isArray(node)) return node.map(fromDocument)
  if (!(node instanceof Map)) return node as Value
  const result: Record<string, Value> = {}
  for (const [key, value] of node as Map<unknown, unknown>) {
    Object.defineProperty(result, keyText(key), {
      value: fromDocument(value),
      enumerable: true,
      configurable: true,
      writable: true,
    })
  }
  return result
}

function keyText(key: unknown): string {
  if (typeof key === 'string') return key
  const value = fromDocument(key)
  if (value === null) return 'null'
  if (typeof value === 'boolean') return String(value)
  if (isNumber(value)) return numberToText(value)
  throw new YamlError('unsupported map key')
}

/** The value as YAML, sets as sequences. */
export function writeYaml(value: Value): string {
  return stringify(plain(toJson(value)), {
    version: '1.1',
    indentSeq: false,
    lineWidth: 0,
    aliasDuplicateObjects: false,
    singleQuote: true,
    customTags: withoutOwnTypes,
  })
}

/** Words and numbers that a reader of YAML 1.1 would not take for text. */
const notText =
  /^(?:~|<<|null|true|false|y|yes|n|no|on|off|[-+]?\.inf|\.nan|[-+]?(?:0b[01_]+|0x[0-9a-f_]+|[0-9][0-9_]*(?::[0-5]?[0-9])*(?:\.[0-9_]*)?(?:e[-+]?[0-9]+)?|\.[0-9_]+(?:e[-+]?[0-9]+)?)|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.*|)$/i

function textNode(text: string): Scalar {
  const scalar = new Scalar(text)
  if (notText.test(text)) scalar.type = 'QUOTE_DOUBLE'
  return scalar
}

function plain(value: Value): unknown {
  if (typeof value === 'string') return textNode(value.toWellFormed())
  if (isNumber(value)) return typeof value === 'object' ? Number(numberToText(value)) : value
  if (isArray(value)) return value.map(plain)
  if (!isObject(value)) return value
  return new Map(objectEntries(value).map((entry) => [plain(entry.key), plain(entry.value)]))
}
