/**
 * Checks that files with the keys of token issuers are JWK Sets.
 *
 * Looks at the outline only; each key is judged by the token library when it loads the set.
 */
import { readFileSync, statSync } from 'node:fs'
import type { ConfigFault } from '../read/fault.ts'
import type { CheckSubject } from './check.ts'

const problemOf = (file: string): string | undefined => {
  try {
    const value = JSON.parse(readFileSync(file, 'utf8')) as { readonly keys?: unknown } | null
    if (!Array.isArray(value?.keys)) return 'JSON without a list of keys'
    return value.keys.length === 0 ? 'a set without a key' : undefined
  } catch (error) {
    return error instanceof SyntaxError ? 'text that is not JSON' : 'a file that cannot be read'
  }
}

/** What is wrong with the key files of the token providers; absent files have been reported already. */
export const checkKeySets = (subject: CheckSubject): readonly ConfigFault[] =>
  Object.entries(subject.config.tokens?.providers ?? {}).flatMap(([name, { jwks_file: file }]) => {
    if (file === undefined || !statSync(file, { throwIfNoEntry: false })?.isFile()) return []
    const got = problemOf(file)
    if (got === undefined) return []
    return [
      subject.fault(['tokens', 'providers', name, 'jwks_file'], {
        expected: 'a JWK Set with at least one key',
        got: `${got} in ${file}`,
        hint: 'write it as {"keys": [ … ]} (RFC 7517 section 5)',
      }),
    ]
  })
