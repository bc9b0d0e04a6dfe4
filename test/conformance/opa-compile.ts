/** OPA's cases of compile diagnostics: code, place and message of the errors a policy must not get past. */

import { RegoErrors, type RegoError } from '../../src/rego/errors.ts'
import { compileBundle } from '../../src/rego/policy.ts'
import type { Case } from './cases.ts'

interface WantedError {
  readonly code: string
  readonly row: number
  readonly col: number
  readonly message: string
}

/** What a case of diagnostics lacks or has too much; empty when it passes. */
export function judgeDiagnostics({ fields }: Case): string[] {
  const wanted = (fields['want_errors'] ?? []) as WantedError[]
  const got = diagnostics(fields)
  const missing = wanted.filter((one) => !got.some((error) => matches(error, one)))
  const extra =
    fields['exhaustive'] === true
      ? got.filter((error) => !wanted.some((one) => matches(error, one)))
      : []
  return [
    ...missing.map((one) => `missing ${one.row}:${one.col} ${one.code}: ${one.message}`),
    ...extra.map(
      ({ location, code, message }) => `extra ${location.row}:${location.col} ${code}: ${message}`,
    ),
  ]
}

function diagnostics(fields: Case['fields']): readonly RegoError[] {
  const modules = fields['modules'] as string[]
  try {
    compileBundle(
      {
        modules: modules.map((text, index) => ({ file: `test-${index}.rego`, text })),
        regoVersion: fields['rego_version'] === 'v0' ? 'v0' : 'v1',
      },
      fields['print_statements'] === true ? { print: () => undefined } : {},
    )
    return []
  } catch (error) {
    if (error instanceof RegoErrors) return error.errors
    throw error
  }
}

function matches(error: RegoError, wanted: WantedError): boolean {
  const { row, col } = error.location
  return (
    error.code === wanted.code &&
    row === wanted.row &&
    col === wanted.col &&
    error.message === wanted.message
  )
}
