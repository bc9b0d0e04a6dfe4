/** Hints for common mistakes; what is merely wrong gets none that misleads. */
import { expect, test } from 'vitest'
import { RegoErrors, type RegoError } from '../../../src/rego/errors.ts'
import { compileBundle } from '../../../src/rego/policy.ts'
import { hintFor } from '../../../src/rego/workshop/hint.ts'

const firstError = (text: string): RegoError => {
  try {
    compileBundle({ modules: [{ file: 'a.rego', text }] }, { check: 'strict' })
  } catch (error) {
    if (error instanceof RegoErrors) return error.errors[0]!
    throw error
  }
  throw new Error('the policy compiles')
}

test.each([
  ['allow {\n\tinput.x\n}', 'write `if` before the body'],
  ['names[x] { x := 1 }', 'names contains name if'],
  ['allow if { role == "admin" }', '`role := …` gives it a value'],
  ['allow if { user.name == "ann" }', 'write `input.user`'],
  ['allow if { x := 1; x := 2; x == 2 }', 'declares a new x'],
  ['allow if input.x === 1', 'compare with `==`'],
  ['allow if input.x && input.y', 'a second rule for "or"'],
  ['allow if !input.x', 'write `not`'],
  ["allow if input.x == 'y'", 'double quotes'],
  ['default allow', 'default allow := false'],
  ['allow if { missing(1) }', 'import data'],
  ['p := q\n\nq := p', 'break the circle'],
  ['if input.x { allow }', 'name := value if'],
])('%s', (rule, hint) => {
  const text = `package a\n\n${rule}\n`
  expect(hintFor(firstError(text), text)).toContain(hint)
})

test('says nothing where it knows nothing', () => {
  const text = 'package a\n\nallow if { x := [1, 2; x }\n'
  expect(hintFor(firstError(text), text)).toBeUndefined()
})
