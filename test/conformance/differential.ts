/**
 * Compares this engine with a real `opa` on random policies and inputs; does nothing but say so when
 * there is no `opa` on the PATH.
 *
 *   node test/conformance/differential.ts [--runs 200] [--seed N]
 */

import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

import fc from 'fast-check'

import { compileBundle } from '../../src/rego/policy.ts'
import { fromJson, toJson, toTerm } from '../../src/rego/value-text.ts'
import { body, data, input, ruleOf } from '../rego/random-policies.ts'

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '200' }, seed: { type: 'string' } },
})
const version = spawnSync('opa', ['version'], { encoding: 'utf8' })

if (version.error !== undefined) {
  console.log('opa is not on the PATH: nothing to compare with')
} else {
  console.log(version.stdout.split('\n')[0])
  compareEngines()
}

function compareEngines(): void {
  const folder = mkdtempSync(join(tmpdir(), 'differential-'))
  const seed = values.seed === undefined ? Date.now() : Number(values.seed)
  const pairs = fc.sample(fc.tuple(body, input), { numRuns: Number(values.runs), seed })
  let differing = 0
  try {
    for (const [{ lines, names }, one] of pairs) {
      const text = ruleOf(lines, names)
      const document: unknown = JSON.parse(JSON.stringify(one))
      const ours = decideHere(text, document)
      const theirs = decideThere(folder, text, document)
      if (ours === theirs) continue
      differing += 1
      console.log(
        `differs:\n${text}input ${JSON.stringify(document)}\nours   ${ours}\ntheirs ${theirs}\n`,
      )
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
  console.log(`${pairs.length - differing} alike, ${differing} different, seed ${seed}`)
  process.exitCode = differing === 0 ? 0 : 1
}

function decideHere(text: string, document: unknown): string {
  const policy = compileBundle({ modules: [{ file: 'p.rego', text }], data })
  const decision = policy.prepare('data.p').decide(document)
  return decision.error?.code ?? toTerm(toJson(decision.value ?? null))
}

function decideThere(folder: string, text: string, document: unknown): string {
  writeFileSync(join(folder, 'p.rego'), text)
  writeFileSync(join(folder, 'data.json'), JSON.stringify(data))
  writeFileSync(join(folder, 'input.json'), JSON.stringify(document))
  const files = [
    '-d',
    join(folder, 'p.rego'),
    '-d',
    join(folder, 'data.json'),
    '-i',
    join(folder, 'input.json'),
  ]
  const run = spawnSync('opa', ['eval', '--format', 'json', ...files, 'data.p'], {
    encoding: 'utf8',
  })
  const output = JSON.parse(run.stdout) as {
    result?: { expressions: { value: unknown }[] }[]
    errors?: { code: string }[]
  }
  const [error] = output.errors ?? []
  return error?.code ?? toTerm(fromJson(output.result?.[0]?.expressions[0]?.value ?? null))
}
