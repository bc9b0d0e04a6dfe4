/**
 * JSON Schema of a configuration file, made from the zod schema that also parses it.
 *
 * For editors (`schema/*.json`), for the printed reference, and for hints in faults. Describes what people write, not
 * what the sidecar makes of it.
 */
import { z } from 'zod'
import { durationPattern, formatAddress, sizePattern, type Address } from '../units.ts'

/** The part of JSON Schema that zod writes for our sections. */
export interface JsonSchema {
  readonly $schema?: string
  readonly $id?: string
  readonly title?: string
  readonly description?: string
  readonly type?: string
  readonly default?: unknown
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly pattern?: string
  readonly format?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | JsonSchema
  readonly items?: JsonSchema
  readonly anyOf?: readonly JsonSchema[]
  readonly oneOf?: readonly JsonSchema[]
  readonly allOf?: readonly JsonSchema[]
}

const units: readonly (readonly [number, string])[] = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'm'],
  [1_000, 's'],
  [1, 'ms'],
]

const sizes: readonly (readonly [number, string])[] = [
  [1024 ** 3, 'GiB'],
  [1024 ** 2, 'MiB'],
  [1024, 'KiB'],
  [1, 'B'],
]

const inUnits = (value: number, table: readonly (readonly [number, string])[]): string => {
  const [factor, name] = table.find(([each]) => value % each === 0) ?? table.at(-1)!
  return `${value / factor}${name}`
}

/** A default as people would write it: a section may give it parsed (5000) while the file says `5s`. */
const writtenDefault = (given: unknown, pattern: unknown): unknown => {
  if (typeof given === 'number' && pattern === durationPattern.source) return inUnits(given, units)
  if (typeof given === 'number' && pattern === sizePattern.source) return inUnits(given, sizes)
  if (typeof given === 'object' && given !== null && 'host' in given && pattern !== undefined) {
    return formatAddress(given as Address)
  }
  return given
}

/** The JSON Schema of what people write for `schema`. */
export const jsonSchema = (schema: z.ZodType): JsonSchema =>
  z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ jsonSchema: made }) => {
      if ('default' in made)
        Object.assign(made, { default: writtenDefault(made.default, made.pattern) })
    },
  }) as JsonSchema

/** The schema of the value at `path`, or undefined when the schema does not describe one. */
export const schemaAt = (
  schema: JsonSchema | undefined,
  path: readonly (string | number)[],
): JsonSchema | undefined => {
  if (!schema) return undefined
  const [first, ...rest] = path
  if (first === undefined) return schema
  if (typeof first === 'number') {
    const branch = schema.items ?? alternatives(schema).find((each) => each.items)?.items
    return schemaAt(branch, rest)
  }
  const own = schema.properties?.[first]
  if (own) return schemaAt(own, rest)
  const others = schema.additionalProperties
  if (typeof others === 'object') return schemaAt(others, rest)
  const branch = alternatives(schema).find((each) => each.properties?.[first])
  return schemaAt(branch?.properties?.[first], rest)
}

/** The branches of a union; none for any other schema. */
export const alternatives = (schema: JsonSchema): readonly JsonSchema[] =>
  schema.oneOf ?? schema.anyOf ?? []
