/**
 * Prints the reference of a configuration file in Markdown, from the JSON Schema that is made from the sections.
 *
 * One table for each mapping, in the order of the file, so that a reader finds a setting by its path.
 */
import { alternatives, type JsonSchema } from './json-schema.ts'

const escaped = (text: string): string =>
  text.replaceAll('|', '\\|').replaceAll('<', '&lt;').replaceAll('\n', ' ')

const code = (text: string): string => `\`${text.replaceAll('|', '\\|')}\``

const words: Readonly<Record<string, string>> = {
  string: 'text',
  integer: 'whole number',
  number: 'number',
  boolean: 'true or false',
  object: 'mapping',
  array: 'list',
}

/** Patterns with a meaning of their own, by their source. */
export type PatternNames = Readonly<Record<string, string>>

const typeOf = (schema: JsonSchema, patterns: PatternNames): string => {
  if (schema.const !== undefined) return code(JSON.stringify(schema.const))
  if (schema.enum) return schema.enum.map((value) => code(String(value))).join(', ')
  const named = schema.pattern === undefined ? undefined : patterns[schema.pattern]
  if (named !== undefined) return named
  const branches = alternatives(schema)
  if (branches.length > 0)
    return [...new Set(branches.map((each) => typeOf(each, patterns)))].join(' or ')
  if (schema.type === 'array') {
    return schema.items ? `list of ${typeOf(schema.items, patterns)}` : 'list'
  }
  if (
    schema.type === 'object' &&
    !schema.properties &&
    typeof schema.additionalProperties === 'object'
  ) {
    return `mapping of name to ${typeOf(schema.additionalProperties, patterns)}`
  }
  return words[schema.type ?? ''] ?? 'any value'
}

const defaultOf = (schema: JsonSchema, isRequired: boolean): string => {
  if (isRequired) return '**required**'
  const given = schema.default
  if (given === undefined) return 'none'
  if (given === '') return 'empty'
  if (Array.isArray(given) || typeof given === 'object') {
    const text = JSON.stringify(given)
    return text === '{}' ? '' : code(text)
  }
  return code(JSON.stringify(given).replace(/^"(.*)"$/, '$1'))
}

interface Part {
  readonly path: string
  readonly schema: JsonSchema
}

/** The mapping that hides in a schema: itself, the items of a list, or the values under free names. */
const mappingsIn = ({ path, schema }: Part): readonly Part[] => {
  if (schema.properties) return [{ path, schema }]
  const own: Part[] = []
  if (schema.items) own.push(...mappingsIn({ path: `${path}[]`, schema: schema.items }))
  if (typeof schema.additionalProperties === 'object') {
    own.push(...mappingsIn({ path: `${path}.<name>`, schema: schema.additionalProperties }))
  }
  for (const branch of alternatives(schema)) own.push(...mappingsIn({ path, schema: branch }))
  return own
}

const table = ({ path, schema }: Part, patterns: PatternNames): readonly string[] => {
  const required = new Set(schema.required)
  const rows = Object.entries(schema.properties!).map(([name, property]) => {
    const description = escaped((property.description ?? '').replace(/\.$/, ''))
    const cells = [
      code(name),
      typeOf(property, patterns),
      defaultOf(property, required.has(name)),
      description,
    ]
    return `| ${cells.join(' | ')} |`
  })
  const title = path === '' ? 'The file' : code(path)
  const text =
    schema.description === undefined
      ? []
      : [`${escaped(schema.description.replace(/\.$/, ''))}.`, '']
  return [
    `## ${title}`,
    '',
    ...text,
    '| setting | value | default | |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
  ]
}

const tables = (part: Part, patterns: PatternNames): readonly string[] =>
  mappingsIn(part).flatMap((mapping) => [
    ...table(mapping, patterns),
    ...Object.entries(mapping.schema.properties!).flatMap(([name, schema]) =>
      tables({ path: mapping.path === '' ? name : `${mapping.path}.${name}`, schema }, patterns),
    ),
  ])

/** The reference of `schema` in Markdown, after `introduction`. */
export const markdownReference = (
  introduction: string,
  schema: JsonSchema,
  patterns: PatternNames,
): string =>
  `${introduction.trim()}\n\n${tables({ path: '', schema }, patterns).join('\n').trim()}\n`
