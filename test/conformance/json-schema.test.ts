/** The official JSON Schema test suite, draft 2020-12, against the compiler that contracts use. Remotes are local. */
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { SchemaCompiler } from '../../src/catalog/contract/schema-compiler.ts'
import { SchemaFault } from '../../src/catalog/contract/schema-fault.ts'
import { vectors } from '../support/vectors.ts'

interface Group {
  readonly description: string
  readonly schema: unknown
  readonly tests: readonly {
    readonly description: string
    readonly data: unknown
    readonly valid: boolean
  }[]
}

const folder = vectors('vectors/json-schema-test-suite')
/** Empty when the data is absent: the body of a skipped suite is evaluated all the same. */
const read = (name: string): unknown =>
  folder === undefined ? {} : JSON.parse(gunzipSync(readFileSync(`${folder}/${name}`)).toString())

/**
 * Where we differ, each with its reason. A pattern matches `file: group: test`.
 */
const deviations: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [
    /^dynamicRef|unevaluated\w+ with \$dynamicRef/,
    'ajv finds a $dynamicAnchor at the root of a resource only',
  ],
  [/^enum.json: empty enum/, 'ajv refuses an empty enum when the schema is compiled'],
  [/__proto__ not valid/, 'ajv skips a property of that name; the JSON scanner refuses it before'],
  [
    /^ref.json: (refs with relative uris|relative refs with absolute uris) and defs/,
    'ajv: $id beside $ref of a sibling resource',
  ],
  [/^ref.json: URN ref with nested pointer/, 'ajv does not take a URN with a pointer apart'],
  [
    /^unevaluatedItems.json/,
    'ajv does not count items that `contains` evaluated, nor `if` without then and else',
  ],
  [
    /^unevaluatedProperties.json: .*(if.then.else, then not defined|if without then and else)/,
    'ajv does not count what `if` without `then` evaluated',
  ],
  [
    /^vocabulary.json: .*no validation: invalid number/,
    'ajv always applies the validation vocabulary',
  ],
]

const remotes = (): ReadonlyMap<string, unknown> =>
  new Map(
    Object.entries(read('remotes.json.gz') as Record<string, unknown>)
      .filter(([path]) => /^remotes\/(draft2020-12\/|(?!draft|v1\/))/.test(path))
      .map(([path, schema]) => [path.replace(/^remotes\//, 'http://localhost:1234/'), schema]),
  )

describe.skipIf(folder === undefined)('JSON Schema 2020-12', () => {
  const suite = read('draft2020-12.json.gz') as Record<string, readonly Group[]>
  const documents = remotes()
  const wrong: string[] = []
  let count = 0
  for (const [file, groups] of Object.entries(suite)) {
    if (file.startsWith('optional/')) continue
    for (const group of groups) {
      const outcomes = judge(group, documents)
      for (const [index, test] of group.tests.entries()) {
        count++
        if (outcomes[index] !== test.valid)
          wrong.push(`${file}: ${group.description}: ${test.description}`)
      }
    }
  }
  it('gives the expected answer for every case but the listed ones', () => {
    console.log(`JSON Schema 2020-12: ${count - wrong.length} of ${count} cases`)
    expect(count).toBeGreaterThan(1_200)
    expect(wrong.filter((name) => !deviations.some(([pattern]) => pattern.test(name)))).toEqual([])
  })

  it('lists no deviation that does not exist', () => {
    expect(deviations.filter(([pattern]) => !wrong.some((name) => pattern.test(name)))).toEqual([])
  })
})

function judge(
  group: Group,
  documents: ReadonlyMap<string, unknown>,
): readonly (boolean | string)[] {
  try {
    const check = new SchemaCompiler('as-is', documents).compile(group.schema)
    return group.tests.map((test) => check(test.data) === undefined)
  } catch (error) {
    return group.tests.map(() => (error instanceof SchemaFault ? 'fault' : 'error'))
  }
}
