/** The path-validation cases of x509-limbo against our own verifier of server certificates. */
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { IdentityError } from '../../src/identity/identity-error.ts'
import { readRoots, verifyServer } from '../../src/identity/verify-server.ts'
import { readPemBlocks } from '../../src/identity/x509/pem.ts'
import { vectors } from '../support/vectors.ts'
import { deviations } from './x509-limbo-deviations.ts'

interface LimboCase {
  readonly id: string
  readonly trusted_certs: readonly string[]
  readonly untrusted_intermediates: readonly string[]
  readonly peer_certificate: string
  readonly validation_time: string | null
  readonly max_chain_depth: number | null
  readonly expected_result: 'SUCCESS' | 'FAILURE'
  readonly expected_peer_name: { readonly kind: 'DNS' | 'IP'; readonly value: string }
}

const file = vectors('vectors/x509-limbo/limbo-2023-12-02-as-committed.json.gz')
const cases: readonly LimboCase[] = file
  ? (JSON.parse(gunzipSync(readFileSync(file)).toString('utf8')) as { testcases: LimboCase[] })
      .testcases
  : []

const der = (pem: string): Buffer => readPemBlocks(pem, ['CERTIFICATE'])[0]!.der

const resultOf = (one: LimboCase): 'SUCCESS' | 'FAILURE' => {
  const chain = [one.peer_certificate, ...one.untrusted_intermediates].map(der)
  // The files carry no private keys, so no server can show these chains in a handshake; the verifier gets the bytes
  // that the handshake would have given it. Handshakes with keys of our own are in test/identity/.
  const now = one.validation_time === null ? Date.now() : Date.parse(one.validation_time)
  const options = one.max_chain_depth === null ? {} : { maxIntermediates: one.max_chain_depth }
  try {
    verifyServer(chain, one.expected_peer_name.value, readRoots(one.trusted_certs), now, options)
    return 'SUCCESS'
  } catch (error) {
    if (error instanceof IdentityError) return 'FAILURE'
    throw error
  }
}

describe.skipIf(file === undefined)('x509-limbo', () => {
  it('has 135 cases', () => expect(cases).toHaveLength(135))

  it.each(cases.map((one) => [one.id, one] as const))('%s', (id, one) => {
    const deviation = deviations[id]
    const agreed = resultOf(one) === one.expected_result
    expect(agreed).toBe(deviation === undefined)
    if (deviation)
      expect(one.expected_result).toBe(deviation.we === 'wider' ? 'FAILURE' : 'SUCCESS')
  })

  it('lists no deviation for a case that does not exist', () => {
    const ids = new Set(cases.map((one) => one.id))
    expect(Object.keys(deviations).filter((id) => !ids.has(id))).toEqual([])
  })
})
