import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { commands } from '../../src/cli/commands.ts'
import { generatedFiles } from '../../src/cli/commands/docs.ts'
import { jsonSchema, type JsonSchema } from '../../src/config/json-schema.ts'
import { sidecarSchema } from '../../src/config/schema.ts'
import { codes } from '../../src/exchange/codes.ts'
import { version } from '../../src/version.ts'

const root = join(import.meta.dirname, '../..')
const contentOf = (path: string): string => readFileSync(join(root, path), 'utf8')

describe('generated files', () => {
  it.each(Object.entries(generatedFiles(commands)))('%s is what the code says', (path, content) => {
    expect(contentOf(path), 'npm run docs writes it').toBe(content)
  })

  it('name every code of the refusal table', () => {
    const page = contentOf('docs/errors.md')
    for (const code of Object.keys(codes)) expect(page).toContain(`\`${code}\``)
  })
})

const undescribed = (schema: JsonSchema, path: string): readonly string[] => [
  ...Object.entries(schema.properties ?? {}).flatMap(([name, property]) => [
    ...(property.description === undefined && property.const === undefined
      ? [`${path}.${name}`]
      : []),
    ...undescribed(property, `${path}.${name}`),
  ]),
  ...(schema.items ? undescribed(schema.items, `${path}[]`) : []),
  ...(typeof schema.additionalProperties === 'object'
    ? undescribed(schema.additionalProperties, `${path}.*`)
    : []),
]

describe('the configuration', () => {
  it('says what every setting is for', () => {
    expect(undescribed(jsonSchema(sidecarSchema), '')).toEqual([])
  })

  it('refuses unknown keys in every mapping', () => {
    const open = (schema: JsonSchema, path: string): readonly string[] => [
      ...(schema.properties && schema.additionalProperties !== false ? [path] : []),
      ...Object.entries(schema.properties ?? {}).flatMap(([name, each]) =>
        open(each, `${path}.${name}`),
      ),
      ...(schema.items ? open(schema.items, `${path}[]`) : []),
    ]
    expect(open(jsonSchema(sidecarSchema), '')).toEqual([])
  })
})

describe('the version', () => {
  it('is the one of package.json', () => {
    expect((JSON.parse(contentOf('package.json')) as { version: string }).version).toBe(version)
  })
})
