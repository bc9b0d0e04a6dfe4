/** The test data of go-spiffe: SPIFFE IDs, X.509-SVID files and bundles, with the results that go-spiffe gives. */
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { checkSvidShape } from '../../src/identity/verify-peer.ts'
import { isKeyOf } from '../../src/identity/workload-identity.ts'
import { isSpiffeId, parseSpiffeId } from '../../src/identity/spiffe-id.ts'
import { chainFrom, privateKeyFrom } from '../../src/identity/sources/files.ts'
import { readBundle, readJwtBundle, readPemBundle } from '../../src/identity/trust-bundle.ts'
import { vectors } from '../support/vectors.ts'

const root = vectors('vectors/go-spiffe')
const read = (path: string): Buffer => readFileSync(join(root ?? '', path))
const ids = root
  ? (JSON.parse(read('spiffe-ids.json').toString()) as { valid: string[]; invalid: string[] })
  : { valid: [], invalid: [] }

const trustDomainCharacters = 'abcdefghijklmnopqrstuvwxyz0123456789._-'
const pathCharacters = `${trustDomainCharacters}ABCDEFGHIJKLMNOPQRSTUVWXYZ`

describe.skipIf(root === undefined)('go-spiffe spiffe ids', () => {
  it.each(ids.valid)('accepts %j', (text) => expect(parseSpiffeId(text).uri).toBe(text))
  it.each(ids.invalid)('refuses %j', (text) => expect(isSpiffeId(text)).toBe(false))

  it('allows exactly the listed characters in a trust domain and in a path', () => {
    for (let code = 0; code < 256; code += 1) {
      const one = String.fromCodePoint(code)
      const inTrustDomain = trustDomainCharacters.includes(one)
      expect(isSpiffeId(`spiffe://trustdomain${one}`), `code ${code} in a trust domain`).toBe(
        inTrustDomain,
      )
      const inPath = pathCharacters.includes(one)
      expect(isSpiffeId(`spiffe://trustdomain/path${one}`), `code ${code} in a path`).toBe(inPath)
    }
  })
})

/** The key file that belongs to a certificate file, where go-spiffe keeps them apart. */
const svids: readonly (readonly [file: string, key: string, outcome: string])[] = [
  ['good-cert-and-key.pem', 'good-cert-and-key.pem', 'spiffe://example.org/workload-1'],
  ['good-key-and-cert.pem', 'good-key-and-cert.pem', 'spiffe://example.org/workload-1'],
  ['good-leaf-and-intermediate.pem', 'key-pkcs8-ecdsa.pem', 'spiffe://example.org/workload-1'],
  ['good-leaf-only.pem', 'key-pkcs8-rsa.pem', 'spiffe://example.org/workload-1'],
  ['corrupt-cert.pem', 'key-pkcs8-ecdsa.pem', 'malformed'],
  ['good-leaf-only.pem', 'corrupt-key.pem', 'identity-file'],
  ['not-pem', 'key-pkcs8-ecdsa.pem', 'identity-file'],
  ['good-leaf-only.pem', 'not-pem', 'identity-file'],
  ['good-leaf-only.pem', 'key-pkcs8-ecdsa.pem', 'mismatch'],
  ['wrong-intermediate-no-ca.pem', 'key-pkcs8-rsa.pem', 'unknown-authority'],
  ['wrong-intermediate-no-key-cert-sign.pem', 'key-pkcs8-rsa.pem', 'key-usage'],
  ['wrong-leaf-ca-true.pem', 'key-pkcs8-rsa.pem', 'not-a-leaf'],
  ['wrong-leaf-cert-sign.pem', 'key-pkcs8-rsa.pem', 'key-usage'],
  ['wrong-leaf-crl-sign.pem', 'key-pkcs8-rsa.pem', 'key-usage'],
  ['wrong-leaf-empty-id.pem', 'key-pkcs8-rsa.pem', 'not-spiffe'],
  ['wrong-leaf-no-digital-signature.pem', 'key-pkcs8-rsa.pem', 'key-usage'],
]

const outcomeOf = (work: () => string): string => {
  try {
    return work()
  } catch (error) {
    return (error as { readonly code: string }).code
  }
}

describe.skipIf(root === undefined)('go-spiffe x.509-svid files', () => {
  it.each(svids)('%s with %s gives %s', (file, key, outcome) => {
    const folder = 'svid/x509svid'
    const got = outcomeOf(() => {
      const chain = chainFrom(read(join(folder, file)), file)
      const id = checkSvidShape(chain)
      return isKeyOf(privateKeyFrom(read(join(folder, key)), key), chain[0]!) ? id.uri : 'mismatch'
    })
    expect(got).toBe(outcome)
  })

  it('uses every file', () => {
    const used = new Set(svids.flatMap(([file, key]) => [file, key]))
    expect(
      readdirSync(join(root ?? '', 'svid/x509svid')).filter((name) => !used.has(name)),
    ).toEqual([])
  })
})

describe.skipIf(root === undefined)('go-spiffe bundles', () => {
  const pem = (name: string) =>
    outcomeOf(() =>
      String(
        readPemBundle(read(`bundle/x509bundle/${name}`).toString('latin1'), 'domain.test')
          .authorities.length,
      ),
    )
  it.each([
    ['cert.pem', '1'],
    ['certs.pem', '2'],
    ['corrupted.pem', 'malformed'],
    ['empty.pem', 'malformed'],
    ['key.pem', 'malformed'],
    ['not-pem.pem', 'malformed'],
  ])('%s gives %s', (name, outcome) => expect(pem(name)).toBe(outcome))

  const document = (name: string) =>
    outcomeOf(() => {
      const bundle = readBundle(read(`bundle/spiffebundle/${name}`), 'domain.test')
      return `${bundle.authorities.length} x509, ${bundle.jwtAuthorities.size} jwt, ${bundle.sequence ?? '-'}, ${bundle.refreshHintSeconds ?? '-'}`
    })
  it.each([
    ['spiffebundle_valid_1.json', '1 x509, 1 jwt, -, -'],
    ['spiffebundle_valid_2.json', '1 x509, 6 jwt, 1, 60'],
    ['spiffebundle_valid_with_wit.json', '1 x509, 2 jwt, 1, 60'],
    ['spiffebundle_missing_kid.json', 'malformed'],
    ['spiffebundle_multiple_x509.json', 'malformed'],
    ['spiffebundle_no_keys.json', 'malformed'],
  ])('%s gives %s', (name, outcome) => expect(document(name)).toBe(outcome))

  it.each([
    ['jwks_valid_1.json', '1'],
    ['jwks_valid_2.json', '2'],
    ['jwks_missing_kid.json', 'malformed'],
  ])('%s gives %s', (name, outcome) => {
    const got = outcomeOf(() =>
      String(readJwtBundle(read(`bundle/jwtbundle/${name}`).toString()).size),
    )
    expect(got).toBe(outcome)
  })
})
