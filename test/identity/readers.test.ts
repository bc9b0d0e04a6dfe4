/** Readers of files and messages from elsewhere throw their own errors and nothing else, whatever they are given. */
import { anything, assert as check, integer, nat, property, string, uint8Array } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { certificatePem } from '../../src/identity/certificate.ts'
import { IdentityError, IdentityFileError } from '../../src/identity/identity-error.ts'
import { chainFrom, privateKeyFrom } from '../../src/identity/sources/files.ts'
import {
  SpiffeIdError,
  isSpiffeId,
  parseSpiffeId,
  parseTrustDomain,
} from '../../src/identity/spiffe-id.ts'
import { readBundle, readJwtBundle, trustIn } from '../../src/identity/trust-bundle.ts'
import {
  readX509SvidResponse,
  writeX509SvidResponse,
} from '../../src/identity/workload-api/messages.ts'
import { ProtobufError, readFields } from '../../src/identity/workload-api/protobuf.ts'
import { ipBytes } from '../../src/identity/x509/ip-bytes.ts'
import { DerError } from '../../src/identity/x509/der.ts'
import { aTrustDomain } from '../support/certificates.ts'

const shop = aTrustDomain('shop.local')
const numRuns = 1_000

/** Runs the work and lets pass only errors of these kinds. */
const throwsOnly = (
  kinds: readonly (new (...given: never[]) => Error)[],
  work: () => unknown,
): void => {
  try {
    work()
  } catch (error) {
    expect(
      kinds.some((kind) => error instanceof kind),
      String(error),
    ).toBe(true)
  }
}

describe('trust bundles', () => {
  it('are read or refused for any json', () => {
    check(
      property(anything({ withNullPrototype: false }), (value) => {
        const text = JSON.stringify({ keys: [value] }) ?? 'null'
        throwsOnly([IdentityError], () => readBundle(Buffer.from(text), 'shop.local'))
        throwsOnly([IdentityError], () => readJwtBundle(text))
      }),
      { numRuns },
    )
  })

  it('are read or refused for any bytes', () => {
    check(
      property(uint8Array({ maxLength: 300 }), (bytes) =>
        throwsOnly([IdentityError], () => readBundle(Buffer.from(bytes), 'shop.local')),
      ),
      { numRuns },
    )
  })

  it('are refused when two are of one trust domain', () => {
    const bundle = readBundle(Buffer.from(certificatePem(shop.root.certificate.der)), 'shop.local')
    expect(() => trustIn([bundle, bundle])).toThrow('two bundles')
  })

  it.each([
    ['a key without a certificate', { use: 'x509-svid', kty: 'EC' }],
    ['two certificates in one key', { use: 'x509-svid', x5c: ['AA==', 'AA=='] }],
    ['base64 that is not canonical', { use: 'x509-svid', x5c: ['AB=='] }],
    ['a certificate that does not parse', { use: 'x509-svid', x5c: ['AAAA'] }],
    ['a jwt key without kid', { use: 'jwt-svid', kty: 'EC' }],
  ])('are refused for %s', (_name, key) => {
    expect(() => readBundle(Buffer.from(JSON.stringify({ keys: [key] })), 'shop.local')).toThrow(
      IdentityError,
    )
  })
})

describe('pem files', () => {
  it('are read or refused for any text', () => {
    const good = certificatePem(shop.root.certificate.der)
    check(
      property(nat(good.length - 1), string({ maxLength: 3 }), (at, text) => {
        const bent = Buffer.from(good.slice(0, at) + text + good.slice(at + 1), 'latin1')
        throwsOnly([IdentityFileError, DerError], () => chainFrom(bent, 'tls.crt'))
        throwsOnly([IdentityFileError, DerError], () => privateKeyFrom(bent, 'tls.key'))
      }),
      { numRuns },
    )
  })
})

describe('messages of the workload api', () => {
  const response = {
    svids: [
      {
        spiffeId: 'spiffe://shop.local/a',
        chain: Buffer.from('c'),
        key: Buffer.from('k'),
        bundle: Buffer.from('b'),
        hint: 'h',
      },
    ],
    crls: [Buffer.from('crl')],
    federated: new Map([['spiffe://other.local', Buffer.from('o')]]),
  }

  it('are read as they were written', () => {
    expect(readX509SvidResponse(writeX509SvidResponse(response))).toEqual(response)
  })

  it('are read or refused for any bytes', () => {
    check(
      property(uint8Array({ maxLength: 100 }), (bytes) => {
        throwsOnly([ProtobufError], () => readFields(Buffer.from(bytes)))
        throwsOnly([ProtobufError], () => readX509SvidResponse(Buffer.from(bytes)))
      }),
      { numRuns },
    )
  })

  it('are read or refused for any mutation', () => {
    const good = writeX509SvidResponse(response)
    check(
      property(nat(good.length - 1), integer({ min: 1, max: 255 }), (at, flip) => {
        const bent = Buffer.from(good)
        bent[at] = bent[at]! ^ flip
        throwsOnly([ProtobufError], () => readX509SvidResponse(bent))
      }),
      { numRuns },
    )
  })
})

describe('names', () => {
  it('are spiffe ids or not, for any text, and say so the same way', () => {
    check(
      property(string({ maxLength: 60 }), (text) => {
        for (const one of [text, `spiffe://${text}`, `spiffe://shop.local/${text}`]) {
          throwsOnly([SpiffeIdError], () => parseSpiffeId(one))
          throwsOnly([SpiffeIdError], () => parseTrustDomain(one))
          if (isSpiffeId(one)) expect(parseSpiffeId(one).uri).toBe(one)
        }
      }),
      { numRuns },
    )
  })

  it.each([
    ['192.0.2.1', 'c0000201'],
    ['::', '0'.repeat(32)],
    ['::1', `${'0'.repeat(31)}1`],
    ['2001:db8::1', '20010db8000000000000000000000001'],
    ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
    ['::ffff:192.0.2.1', '00000000000000000000ffffc0000201'],
    ['fe80::', `fe80${'0'.repeat(28)}`],
  ])('of ip addresses are read: %s', (text, hex) => expect(ipBytes(text).toString('hex')).toBe(hex))
})
