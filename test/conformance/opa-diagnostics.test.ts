/** OPA's compile diagnostics and the examples of its documentation, case by case. */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

import { parseDocument } from 'yaml'
import { describe, expect, test } from 'vitest'

import { compileBundle } from '../../src/rego/policy.ts'
import { fromJson, toJson, toTerm } from '../../src/rego/value-text.ts'
import { vectors } from '../support/vectors.ts'
import { loadCases, plain } from './cases.ts'
import { judgeDiagnostics } from './opa-compile.ts'

const compileCases = vectors('opa-cases/compilecases')
const examples = vectors('opa-cases/doc-examples')

describe.skipIf(compileCases === undefined)('compile diagnostics', () => {
  for (const one of compileCases === undefined ? [] : loadCases(compileCases)) {
    test(one.note, () => expect(judgeDiagnostics(one)).toEqual([]))
  }
})

describe.skipIf(examples === undefined)('documentation examples', () => {
  for (const folder of examples === undefined ? [] : exampleFolders(examples)) {
    test(relative(examples ?? '', folder), () => {
      const { wanted, got } = runExample(folder)
      expect(got).toBe(wanted)
    })
  }
})

function exampleFolders(root: string): string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('output.json'))
    .map((name) => dirname(join(root, name)))
}

/** The example's output and ours, as Rego text. */
function runExample(folder: string): { wanted: string; got: string } {
  const read = (name: string): unknown => {
    const path = join(folder, name)
    if (!existsSync(path)) return undefined
    const document = parseDocument(readFileSync(path, 'utf8'))
    return plain(document.contents, document)
  }
  const text = readFileSync(join(folder, 'policy.rego'), 'utf8')
  const config = (read('config.json') ?? {}) as { command?: string }
  const query = config.command ?? `data.${/^package\s+(\S+)/m.exec(text)?.[1] ?? ''}`
  const policy = compileBundle({
    modules: [{ file: 'policy.rego', text }],
    data: read('data.json') ?? {},
  })
  const input = read('input.json')
  const decision = policy.prepare(query).decide(input === undefined ? undefined : fromJson(input))
  const got =
    decision.error === undefined
      ? toTerm(toJson(decision.value ?? {}))
      : JSON.stringify(decision.error)
  return { wanted: toTerm(fromJson(read('output.json'))), got }
}
