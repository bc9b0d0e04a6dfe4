/**
 * The values of path, query and header parameters, taken apart as their `style` says (OpenAPI 3.1 §4.8.12.2).
 *
 * Gives texts, lists of texts and records of texts; the schema check turns texts into numbers where it must.
 */
import type { ParameterContract } from '../entry/contract-shape.ts'

/** A value before its schema is applied; undefined when the request has none. */
export type ParameterValue =
  string | readonly string[] | Readonly<Record<string, string>> | undefined

/** A query as pairs, decoded once; undefined when an escape is broken. */
export const queryPairs = (query: string): readonly (readonly [string, string])[] | undefined => {
  try {
    return query === ''
      ? []
      : query.split('&').map((pair) => {
          const at = pair.indexOf('=')
          const [name, value] = at === -1 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)]
          return [decodeForm(name), decodeForm(value)] as const
        })
  } catch {
    return undefined
  }
}

const decodeForm = (text: string): string => decodeURIComponent(text.replaceAll('+', ' '))

const separators: Readonly<Record<string, string>> = {
  form: ',',
  simple: ',',
  spaceDelimited: ' ',
  pipeDelimited: '|',
}

/** What shape the schema of a parameter wants. */
export type ParameterShape = 'text' | 'list' | 'record'

/** Takes one parameter from decoded query pairs. */
export const queryValue = (
  parameter: ParameterContract,
  pairs: readonly (readonly [string, string])[],
  shape: ParameterShape,
): ParameterValue => {
  const { name, style, explode } = parameter
  if (style === 'deepObject') {
    const members = pairs.filter(([key]) => key.startsWith(`${name}[`) && key.endsWith(']'))
    return members.length === 0
      ? undefined
      : Object.fromEntries(members.map(([key, value]) => [key.slice(name.length + 1, -1), value]))
  }
  const values = pairs
    .filter(([key]) => key === name || key === `${name}[]`)
    .map(([, value]) => value)
  if (values.length === 0) return undefined
  if (shape === 'list')
    return explode ? values : values.flatMap((value) => value.split(separators[style] ?? ','))
  if (shape === 'record') return recordOf(values[0]!, ',', explode)
  return values.length === 1 ? values[0] : values
}

/** Takes a path or header parameter apart. */
export const simpleValue = (
  text: string,
  shape: ParameterShape,
  explode: boolean,
): ParameterValue => {
  if (shape === 'list') return text === '' ? [] : text.split(',').map((item) => item.trim())
  return shape === 'record' ? recordOf(text, ',', explode) : text
}

const recordOf = (
  text: string,
  separator: string,
  explode: boolean,
): Readonly<Record<string, string>> => {
  const parts = text.split(separator)
  if (explode)
    return Object.fromEntries(parts.map((part) => part.split('=', 2) as [string, string]))
  return Object.fromEntries(
    Array.from({ length: Math.floor(parts.length / 2) }, (_, index) => [
      parts[index * 2]!,
      parts[index * 2 + 1]!,
    ]),
  )
}

/** The query parameters that a contract covers: exact names, and `name[…]` for deep objects and lists. */
export const coversQueryName = (parameters: readonly ParameterContract[], name: string): boolean =>
  parameters.some(
    (parameter) =>
      parameter.in === 'query' &&
      (parameter.name === name ||
        name === `${parameter.name}[]` ||
        (parameter.style === 'deepObject' && name.startsWith(`${parameter.name}[`))),
  )
