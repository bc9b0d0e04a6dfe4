/**
 * Wycheproof's JSON Web Signature and JSON Web Key vectors against the part of the token library that sees them: the
 * front check, the key set and the signature. Claims are not part of the vectors, so payloads are not read.
 *
 * Every vector must give the published verdict. The deviations, all of them towards refusing, are listed by name.
 */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { KeySetError, readKeySet } from '../../src/token/keys/key-set.ts'
import { parseToken } from '../../src/token/parse.ts'
import { signatureAlgorithms } from '../../src/token/section.ts'
import { verifySignature } from '../../src/token/signature.ts'
import { TokenError } from '../../src/token/token-error.ts'
import { vectors } from '../support/vectors.ts'

interface Vector {
  readonly tcId: number
  readonly comment: string
  readonly jws: string | object
  readonly result: 'valid' | 'invalid'
}

interface Group {
  readonly comment: string
  readonly public?: Readonly<Record<string, unknown>>
  readonly private: Readonly<Record<string, unknown>>
  readonly tests: readonly Vector[]
}

/** Valid vectors that are refused, by file, with the reason. */
const deviations: Readonly<
  Record<string, { readonly reason: string; readonly ids: readonly number[] }[]>
> = {
  signature: [
    {
      reason: 'HMAC is never accepted: a verifier with the key could sign as the issuer',
      ids: [1, 348, 352, 357, 358, 359, 372, 373, 376, 377],
    },
    {
      reason:
        'the key names its algorithm ES521, which is not a registered one (RFC 7518 §3.1: ES512)',
      ids: [347, 351],
    },
    {
      reason: 'the key is for PS256 by its alg, and the token is signed with PS384 (RFC 7517 §4.4)',
      ids: [346, 350],
    },
  ],
  key: [
    {
      reason: 'HMAC is never accepted: a verifier with the key could sign as the issuer',
      ids: [2, 13, 14, 15],
    },
  ],
}

const accepts = async (
  jwk: Readonly<Record<string, unknown>>,
  jws: string | object,
): Promise<boolean> => {
  const document = 'keys' in jwk ? jwk : { keys: [jwk] }
  try {
    const keys = await readKeySet(Buffer.from(JSON.stringify(document)))
    const token = typeof jws === 'string' ? jws : JSON.stringify(jws)
    const parsed = parseToken(token, {
      algorithms: signatureAlgorithms,
      types: ['jwt', 'jose'],
      typeMayBeAbsent: true,
    })
    const key = keys.find(parsed.algorithm, parsed.keyId)
    return (
      key !== undefined &&
      verifySignature(parsed.algorithm, key, parsed.signingInput, parsed.signature)
    )
  } catch (error) {
    if (error instanceof TokenError || error instanceof KeySetError) return false
    throw error
  }
}

const suite = (name: 'signature' | 'key', count: number): void => {
  const path = vectors(`vectors/wycheproof/json_web_${name}_test.json`)
  describe.skipIf(path === undefined)(`wycheproof json web ${name}`, () => {
    const groups =
      path === undefined
        ? []
        : (JSON.parse(readFileSync(path, 'utf8')) as { testGroups: Group[] }).testGroups
    const expected = new Map(
      deviations[name]?.flatMap(({ ids, reason }) => ids.map((id) => [id, reason] as const)),
    )

    it(`holds ${count} vectors`, () => {
      expect(groups.flatMap(({ tests }) => tests)).toHaveLength(count)
    })

    for (const group of groups) {
      const cases = group.tests.map(
        (vector) => [`${vector.tcId} ${vector.comment} is ${vector.result}`, vector] as const,
      )
      it.each(cases)(`${group.comment}: %s`, async (_name, vector) => {
        const verdict = (await accepts(group.public ?? group.private, vector.jws))
          ? 'valid'
          : 'invalid'
        expect(verdict).toBe(expected.has(vector.tcId) ? 'invalid' : vector.result)
        // A deviation that is none any more, or one towards accepting, must not stay in the list.
        if (expected.has(vector.tcId)) expect(vector.result).toBe('valid')
      })
    }
  })
}

suite('signature', 401)
suite('key', 26)
