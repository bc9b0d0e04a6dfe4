/**
 * Parses the value of a YAML document with a schema and says each mismatch as a fault: where, expected, got, hint.
 *
 * The one place where the words of the schema library become ours. Looks at one document only; what needs more than
 * one setting to judge is in `checks/`.
 */
import type { z } from 'zod'
import { addressPattern, durationPattern, ratePattern, sizePattern } from '../../units.ts'
import { alternatives, jsonSchema, schemaAt, type JsonSchema } from '../json-schema.ts'
import { formatPath, formatValue, type ConfigFault, type Path } from './fault.ts'
import { nearest } from './nearest.ts'
import type { YamlDocument } from './yaml-document.ts'

type Issue = z.core.$ZodIssue

const kinds: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'a mapping',
  record: 'a mapping',
  array: 'a list',
  null: 'an empty value',
}

const patterns: Readonly<Record<string, string>> = {
  [durationPattern.source]: 'a duration such as 250ms, 5s, 1m30s or 2h',
  [sizePattern.source]: 'a size such as 512B, 16KiB or 10MiB',
  [addressPattern.source]: 'host:port such as 127.0.0.1:8080 or [::1]:8080',
  [ratePattern.source]: 'a rate such as 100/s, 600/m or 1000/h',
}

const formats: Readonly<Record<string, string>> = {
  url: 'a URL such as https://id.example/keys',
  uuid: 'a UUID',
  email: 'an e-mail address',
  date: 'a date such as 2026-11-23',
  ipv4: 'an IPv4 address',
  ipv6: 'an IPv6 address',
}

const oneOf = (names: readonly unknown[]): string => {
  const words = names.map(String)
  return words.length === 1 ? words[0]! : `${words.slice(0, -1).join(', ')} or ${words.at(-1)!}`
}

/** What a schema wants, in words. */
const wanted = (schema: JsonSchema | undefined): string | undefined => {
  if (!schema) return undefined
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.enum) return oneOf(schema.enum)
  if (schema.pattern !== undefined && patterns[schema.pattern]) return patterns[schema.pattern]
  if (schema.format !== undefined && formats[schema.format]) return formats[schema.format]
  const branches = alternatives(schema).map((each) => wanted(each))
  if (branches.length > 0) return oneOf([...new Set(branches.filter(Boolean))])
  return kinds[schema.type === 'integer' ? 'int' : (schema.type ?? '')]
}

const amount = (issue: Extract<Issue, { code: 'too_small' | 'too_big' }>): string => {
  const least = issue.code === 'too_small'
  const bound = least ? issue.minimum : issue.maximum
  if (issue.origin === 'string') {
    return least && Number(bound) === 1
      ? 'a text that is not empty'
      : `${least ? 'at least' : 'at most'} ${bound} characters`
  }
  if (issue.origin === 'array' || issue.origin === 'set') {
    return `${least ? 'at least' : 'at most'} ${bound} ${Number(bound) === 1 ? 'item' : 'items'}`
  }
  if (issue.inclusive === false) return `a number ${least ? 'above' : 'below'} ${bound}`
  return `a number of ${least ? 'at least' : 'at most'} ${bound}`
}

const stated = (message: string): string | undefined =>
  message.startsWith('expected ') ? message.slice('expected '.length) : undefined

const expectation = (issue: Issue, schema: JsonSchema | undefined): string => {
  switch (issue.code) {
    case 'too_small':
    case 'too_big':
      return amount(issue)
    case 'invalid_value':
      return oneOf(issue.values.map(String))
    case 'invalid_format':
      return (
        stated(issue.message) ??
        formats[issue.format] ??
        wanted(schema) ??
        `a valid ${issue.format}`
      )
    case 'not_multiple_of':
      return `a multiple of ${issue.divisor}`
    case 'invalid_type':
      return wanted(schema) ?? kinds[issue.expected] ?? `a ${issue.expected}`
    default:
      return stated(issue.message) ?? wanted(schema) ?? issue.message.toLowerCase()
  }
}

const valueAt = (root: unknown, path: Path): unknown =>
  path.reduce<unknown>(
    (value, part) =>
      typeof value === 'object' && value !== null && Object.hasOwn(value, part)
        ? (value as Record<string | number, unknown>)[part]
        : undefined,
    root,
  )

const unquoted = new Set(['a string', 'a text that is not empty'])

const hintFor = (
  path: Path,
  expected: string,
  got: unknown,
  schema: JsonSchema | undefined,
): string => {
  if (expected === 'true or false' && (got === 'yes' || got === 'on')) return 'write true'
  if (expected === 'true or false' && (got === 'no' || got === 'off')) return 'write false'
  const names = schema?.enum?.map(String)
  const meant = typeof got === 'string' && names ? nearest(got, names) : undefined
  if (meant !== undefined) return `did you mean ${meant}`
  if (typeof got === 'number' && unquoted.has(expected)) return `put it in quotes: "${got}"`
  if (typeof got === 'number' && expected.startsWith('a duration')) return `add the unit: ${got}s`
  if (typeof got === 'number' && expected.startsWith('a size')) return `add the unit: ${got}B`
  if (expected === 'a list' && (typeof got === 'string' || typeof got === 'number')) {
    return `put it in brackets: [${got}]`
  }
  const purpose = schema?.description?.replace(/\.$/, '')
  const key = path.findLast((part) => typeof part === 'string') ?? 'the file'
  const absent =
    schema?.default === undefined || typeof schema.default === 'object'
      ? ''
      : `, or leave it out for ${JSON.stringify(schema.default)}`
  return `mend ${key}${absent}${purpose === undefined ? '' : ` (${purpose})`}`
}

const example = (schema: JsonSchema | undefined): string => {
  const text = wanted(schema)
  const such = text === undefined ? undefined : /such as ([^ ,]+)/.exec(text)?.[1]
  return such ?? (schema?.type === 'object' ? '' : '…')
}

interface Judged<T> {
  readonly value: T | undefined
  readonly faults: readonly ConfigFault[]
}

/** Parses documents with one schema; made once and used for many files. */
export interface Judge<T> {
  readonly schema: JsonSchema
  /** The parsed value, or the faults that keep it from being used. */
  judge(document: YamlDocument): Judged<T>
}

const issueFaults = (
  issue: Issue,
  above: Path,
  document: YamlDocument,
  root: JsonSchema,
): readonly ConfigFault[] => {
  const path = [
    ...above,
    ...issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part)),
  ]
  const schema = schemaAt(root, path)
  const got = valueAt(document.value, path)
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => unknownKey(key, path, document, schema, issue))
  }
  if (issue.code === 'invalid_union') {
    const inner = deeperBranch(issue)
    if (inner) return inner.flatMap((each) => issueFaults(each, path, document, root))
  }
  const present = got !== undefined || isPresent(document.value, path)
  if (!present && path.length > 0) {
    const key = path.at(-1)!
    return [
      {
        ...document.locateKey(path.slice(0, -1)),
        setting: formatPath(path),
        expected: wanted(schema) ?? expectation(issue, schema),
        got: 'nothing',
        hint: `add ${key}: ${example(schema)}`.trimEnd() + purposeOf(schema),
      },
    ]
  }
  const expected = discriminator(issue) ?? expectation(issue, schema)
  const at = issue.code === 'invalid_key' ? document.locateKey(path) : document.locate(path)
  return [
    {
      ...at,
      setting: formatPath(path),
      expected,
      got:
        issue.code === 'custom' && typeof got === 'object'
          ? 'another combination'
          : formatValue(got),
      hint: hintFor(path, expected, got, schema),
    },
  ]
}

const purposeOf = (schema: JsonSchema | undefined): string =>
  schema?.description ? ` (${schema.description.replace(/\.$/, '')})` : ''

const isPresent = (root: unknown, path: Path): boolean => {
  const parent = valueAt(root, path.slice(0, -1))
  const last = path.at(-1)
  return (
    path.length === 0 ||
    (typeof parent === 'object' && parent !== null && Object.hasOwn(parent, last!))
  )
}

const unknownKey = (
  key: string,
  path: Path,
  document: YamlDocument,
  schema: JsonSchema | undefined,
  issue: Issue,
): ConfigFault => {
  const given = valueAt(document.value, path)
  const known = knownKeys(schema, given)
  const unused = known.filter(
    (name) => !(typeof given === 'object' && given !== null && Object.hasOwn(given, name)),
  )
  const meant = nearest(key, unused)
  return {
    ...document.locateKey([...path, key]),
    setting: formatPath([...path, key]),
    expected: issue.path.length === 0 && path.length === 0 ? 'a known section' : 'a known key',
    got: JSON.stringify(key),
    hint: meant ? `did you mean ${meant}` : `the keys here are ${oneOf(known)}`,
  }
}

/** The keys that may stand here; of a union, those of the branch whose constants the value has. */
const knownKeys = (schema: JsonSchema | undefined, given: unknown): readonly string[] => {
  if (!schema) return []
  if (schema.properties) return Object.keys(schema.properties)
  const branches = alternatives(schema).filter((each) => each.properties)
  const chosen = branches.filter((each) =>
    Object.entries(each.properties!).every(
      ([name, property]) =>
        property.const === undefined || valueAt(given, [name]) === property.const,
    ),
  )
  return [
    ...new Set(
      (chosen.length > 0 ? chosen : branches).flatMap((each) => Object.keys(each.properties!)),
    ),
  ]
}

/** Of a union, the branch whose kind fits and that fails only further inside; undefined when there is no such one. */
const deeperBranch = (
  issue: Extract<Issue, { code: 'invalid_union' }>,
): readonly Issue[] | undefined => {
  const deeper = issue.errors.filter((branch) =>
    branch.every((each) => each.path.length > 0 || each.code === 'unrecognized_keys'),
  )
  return deeper.length === 1 ? deeper[0] : undefined
}

const discriminator = (issue: Issue): string | undefined =>
  issue.code === 'invalid_union' && 'options' in issue && Array.isArray(issue.options)
    ? oneOf(issue.options)
    : undefined

/** Makes a judge of documents from the schema that they must have. */
export const judgeOf = <S extends z.ZodType>(schema: S): Judge<z.output<S>> => {
  const described = jsonSchema(schema)
  return {
    schema: described,
    judge(document) {
      if (document.faults.length > 0) return { value: undefined, faults: document.faults }
      const result = schema.safeParse(document.value ?? {})
      if (result.success) return { value: result.data, faults: [] }
      const faults = result.error.issues.flatMap((issue) =>
        issueFaults(issue, [], document, described),
      )
      return { value: undefined, faults }
    },
  }
}
