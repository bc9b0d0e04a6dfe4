/** Turns what the entry schema rejects into problems with a place, the nearest known key, and the branch meant. */
import { z } from 'zod'
import { nearest } from './nearness.ts'
import { problemAt, shownValue } from './problem.ts'
import type { CatalogProblem, Path, YamlDocument } from './problem.ts'
import { entrySettings } from './settings.ts'

type Issue = z.core.$ZodIssue

/** All problems of one document, unions narrowed to the branch that the author most likely meant. */
export const schemaProblems = (
  issues: readonly Issue[],
  document: YamlDocument,
  file: string,
): readonly CatalogProblem[] => issues.flatMap((issue) => problemsOf(issue, [], document, file))

const problemsOf = (
  issue: Issue,
  prefix: Path,
  document: YamlDocument,
  file: string,
): readonly CatalogProblem[] => {
  const path = [...prefix, ...(issue.path as (string | number)[])]
  const got = valueAt(document.value, path)
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(path)
    return issue.keys.map((key) => {
      const near = nearest(key, known, 1)[0]
      const hint = near
        ? `did you mean ${near}?`
        : known.length > 0
          ? `known here: ${known.join(', ')}`
          : 'remove it'
      const at = [...path, key]
      return {
        ...problemAt(document, file, at, {
          expected: 'a known key',
          got: JSON.stringify(key),
          hint,
        }),
        ...document.locateKey(at),
      }
    })
  }
  if (issue.code === 'invalid_union') {
    const branch = issue.errors.find((errors) =>
      errors.every((one) => one.path.length > 0 || one.code !== 'invalid_type'),
    )
    if (branch && branch.length > 0)
      return branch.flatMap((one) => problemsOf(one, path, document, file))
  }
  return [
    problemAt(document, file, path, {
      expected: expectedBy(issue),
      got: shownValue(got),
      hint: hintFor(issue, got),
    }),
  ]
}

const expectedBy = (issue: Issue): string => {
  if (issue.message.startsWith('expected ')) return issue.message.slice('expected '.length)
  if (issue.code === 'invalid_type') return `${article(issue.expected)} ${issue.expected}`
  if (issue.code === 'invalid_value') return `one of ${issue.values.map(String).join(', ')}`
  if (issue.code === 'too_small')
    return `at least ${issue.minimum}${issue.origin === 'string' ? ' characters' : ''}`
  if (issue.code === 'too_big') return `at most ${issue.maximum}`
  if (issue.code === 'invalid_union') return 'one of the known forms'
  return issue.message.charAt(0).toLowerCase() + issue.message.slice(1)
}

const article = (noun: string): string => (/^[aeio]/.test(noun) ? 'an' : 'a')

const hintFor = (issue: Issue, got: unknown): string => {
  if (issue.code === 'invalid_value' && typeof got === 'string') {
    const near = nearest(got, issue.values.map(String), 1)[0]
    return near ? `did you mean ${near}?` : ''
  }
  return got === undefined ? 'add it' : ''
}

const valueAt = (value: unknown, path: Path): unknown => {
  let at = value
  for (const part of path) {
    if (typeof at !== 'object' || at === null) return undefined
    at = (at as Record<PropertyKey, unknown>)[part]
  }
  return at
}

interface SchemaNode {
  readonly properties?: Readonly<Record<string, SchemaNode>>
  readonly items?: SchemaNode
  readonly anyOf?: readonly SchemaNode[]
  readonly oneOf?: readonly SchemaNode[]
}

let described: SchemaNode | undefined

/** The JSON Schema of an entry file, for editors; the same definition that the parser uses. */
export const entryJsonSchema = (): Record<string, unknown> =>
  z.toJSONSchema(entrySettings, { io: 'input', unrepresentable: 'any' })

const keysAt = (path: Path): readonly string[] => {
  described ??= entryJsonSchema() as SchemaNode
  let nodes: readonly SchemaNode[] = [described]
  const flat = (node: SchemaNode): readonly SchemaNode[] => [
    node,
    ...(node.anyOf ?? []).flatMap(flat),
    ...(node.oneOf ?? []).flatMap(flat),
  ]
  for (const part of path) {
    nodes = nodes
      .flatMap(flat)
      .map((node) => (typeof part === 'number' ? node.items : node.properties?.[part]))
      .filter((node) => node !== undefined)
  }
  return [...new Set(nodes.flatMap(flat).flatMap((node) => Object.keys(node.properties ?? {})))]
}
