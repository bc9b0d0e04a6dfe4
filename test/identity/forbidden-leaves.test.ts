/** Every shape of a leaf that X509-SVID or RFC 5280 forbids is refused with its reason, and its lawful twin is let in. */
import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { oid } from '../../src/identity/x509/oids.ts'
import { extension, writeName } from '../../src/identity/x509/write.ts'
import { aLeaf, replaced, without } from '../support/certificates.ts'
import type { LeafShape } from '../support/certificates.ts'
import {
  now,
  hour,
  shop,
  other,
  verdict,
  good,
  names,
  usage,
  purposes,
  plus,
  uri,
  rsa,
  curve,
  nothing,
} from './shapes.ts'

const leaves: Readonly<Record<string, readonly [shape: LeafShape, outcome: string]>> = {
  'lets in a plain x.509-svid': [{}, good],
  'lets in an svid with a dns name beside its uri': [
    names({ uri: good }, { dns: 'a.shop.local' }),
    good,
  ],
  'lets in an svid with an ip and an e-mail name': [
    names({ uri: good }, { ip: Buffer.from([10, 0, 0, 1]) }, { email: 'a@shop.local' }),
    good,
  ],
  'lets in an svid without basic constraints': [
    { extensions: (all) => without(all, oid.basicConstraints) },
    good,
  ],
  'lets in an svid without extended key usage': [
    { extensions: (all) => without(all, oid.extendedKeyUsage) },
    good,
  ],
  'lets in key agreement and encipherment beside digital signature': [
    usage('digitalSignature', 'keyEncipherment', 'keyAgreement'),
    good,
  ],
  'lets in an empty subject when the alternative name is critical': [
    {
      subject: nothing,
      extensions: (all) => replaced(all, extension.subjectAltName([{ uri: good }], true)),
    },
    good,
  ],
  'lets in an rsa key of 2048 bits': [{ key: rsa(2048) }, good],
  'lets in a p-384 key': [{ key: curve('P-384') }, good],
  'lets in an ed25519 key': [{ key: generateKeyPairSync('ed25519').privateKey }, good],
  'lets in a non-critical extension that it does not know': [
    plus({ id: '1.3.6.1.4.1.99999.1', critical: false, value: Buffer.from([5, 0]) }),
    good,
  ],
  'lets in an id with dots, dashes and underscores': [
    uri('spiffe://shop.local/ns/a-b_c.d/sa/...'),
    'spiffe://shop.local/ns/a-b_c.d/sa/...',
  ],

  'refuses no alternative name at all': [
    { extensions: (all) => without(all, oid.subjectAltName) },
    'not-spiffe',
  ],
  'refuses a spiffe id in the common name only': [
    {
      subject: writeName([[oid.commonName, good]]),
      extensions: (all) => without(all, oid.subjectAltName),
    },
    'not-spiffe',
  ],
  'refuses a dns name only': [names({ dns: 'shop.local' }), 'not-spiffe'],
  'refuses a spiffe id in a dns name': [names({ dns: good }), 'not-spiffe'],
  'refuses a spiffe id in an e-mail name': [names({ email: good }), 'not-spiffe'],
  'refuses an empty alternative name': [names(), 'malformed'],
  'refuses two spiffe ids': [
    names({ uri: good }, { uri: 'spiffe://shop.local/admin' }),
    'not-spiffe',
  ],
  'refuses the same spiffe id twice': [names({ uri: good }, { uri: good }), 'not-spiffe'],
  'refuses a spiffe id beside another uri': [
    names({ uri: good }, { uri: 'https://shop.local/' }),
    'not-spiffe',
  ],
  'refuses another uri before the spiffe id': [
    names({ uri: 'https://shop.local/' }, { uri: good }),
    'not-spiffe',
  ],
  'refuses an https uri': [uri('https://shop.local/workload'), 'not-spiffe'],
  'refuses an empty uri': [uri(''), 'not-spiffe'],
  'refuses an upper-case scheme': [uri('SPIFFE://shop.local/workload'), 'not-spiffe'],
  'refuses an upper-case trust domain': [uri('spiffe://Shop.local/workload'), 'not-spiffe'],
  'refuses a trust domain without a path': [uri('spiffe://shop.local'), 'not-spiffe'],
  'refuses a root path': [uri('spiffe://shop.local/'), 'not-spiffe'],
  'refuses a slash at the end': [uri(`${good}/`), 'not-spiffe'],
  'refuses an empty segment': [uri('spiffe://shop.local//workload'), 'not-spiffe'],
  'refuses a dot segment': [uri('spiffe://shop.local/./workload'), 'not-spiffe'],
  'refuses a dot-dot segment': [uri('spiffe://shop.local/a/../workload'), 'not-spiffe'],
  'refuses percent encoding': [uri('spiffe://shop.local/work%6coad'), 'not-spiffe'],
  'refuses a port': [uri('spiffe://shop.local:443/workload'), 'not-spiffe'],
  'refuses user information': [uri('spiffe://user@shop.local/workload'), 'not-spiffe'],
  'refuses a password': [uri('spiffe://user:word@shop.local/workload'), 'not-spiffe'],
  'refuses a query': [uri(`${good}?a=b`), 'not-spiffe'],
  'refuses an empty query': [uri(`${good}?`), 'not-spiffe'],
  'refuses a fragment': [uri(`${good}#a`), 'not-spiffe'],
  'refuses no trust domain': [uri('spiffe:///workload'), 'not-spiffe'],
  'refuses a missing slash': [uri('spiffe:/shop.local/workload'), 'not-spiffe'],
  'refuses an opaque spiffe uri': [uri('spiffe:shop.local/workload'), 'not-spiffe'],
  'refuses a backslash': [uri('spiffe://shop.local\\workload'), 'not-spiffe'],
  'refuses a space before the id': [uri(` ${good}`), 'not-spiffe'],
  'refuses a space after the id': [uri(`${good} `), 'not-spiffe'],
  'refuses a tilde in the path': [uri('spiffe://shop.local/~workload'), 'not-spiffe'],
  'refuses a plus in the path': [uri('spiffe://shop.local/a+b'), 'not-spiffe'],
  'refuses a semicolon in the path': [uri('spiffe://shop.local/a;b'), 'not-spiffe'],
  'refuses an address in brackets as trust domain': [uri('spiffe://[::1]/workload'), 'not-spiffe'],
  'refuses a null byte in the uri': [uri('spiffe://shop.local/workload\u0000.evil'), 'malformed'],
  'refuses a line break in the uri': [uri(`${good}\n`), 'malformed'],
  'refuses letters outside ascii in the uri': [uri('spiffe://shop.local/wörkload'), 'malformed'],
  'refuses a null byte in a dns name': [names({ uri: good }, { dns: 'a\u0000b' }), 'malformed'],
  'refuses an id longer than 2048 bytes': [
    uri(`spiffe://shop.local/${'a'.repeat(2029)}`),
    'not-spiffe',
  ],
  'refuses a trust domain longer than 255 bytes': [
    uri(`spiffe://${'a'.repeat(256)}/workload`),
    'not-spiffe',
  ],
  'refuses an empty subject when the alternative name is not critical': [
    { subject: nothing },
    'not-spiffe',
  ],

  'refuses a leaf that is an authority': [
    { extensions: (all) => replaced(all, extension.basicConstraints(true)) },
    'not-a-leaf',
  ],
  'refuses a leaf that is an authority with path length zero': [
    { extensions: (all) => replaced(all, extension.basicConstraints(true, 0)) },
    'not-a-leaf',
  ],
  'refuses a path length on a leaf': [
    { extensions: (all) => replaced(all, extension.basicConstraints(false, 0)) },
    'not-a-leaf',
  ],
  'refuses name constraints on a leaf': [
    plus(extension.nameConstraints([{ uri: 'shop.local' }], [])),
    'not-a-leaf',
  ],
  'refuses no key usage': [{ extensions: (all) => without(all, oid.keyUsage) }, 'key-usage'],
  'refuses a key usage that is not critical': [
    {
      extensions: (all) =>
        all.map((one) => (one.id === oid.keyUsage ? { ...one, critical: false } : one)),
    },
    'key-usage',
  ],
  'refuses an empty key usage': [usage(), 'key-usage'],
  'refuses key encipherment without digital signature': [usage('keyEncipherment'), 'key-usage'],
  'refuses key agreement without digital signature': [usage('keyAgreement'), 'key-usage'],
  'refuses a leaf that may sign certificates': [
    usage('digitalSignature', 'keyCertSign'),
    'key-usage',
  ],
  'refuses a leaf that may sign crls': [usage('digitalSignature', 'cRLSign'), 'key-usage'],
  'refuses a leaf that may only sign certificates': [usage('keyCertSign'), 'key-usage'],
  'refuses server authentication alone': [purposes(oid.serverAuth), 'key-usage'],
  'refuses client authentication alone': [purposes(oid.clientAuth), 'key-usage'],
  'refuses code signing': [purposes('1.3.6.1.5.5.7.3.3'), 'key-usage'],
  'refuses any purpose in place of the two': [purposes(oid.anyExtendedKeyUsage), 'key-usage'],
  'refuses an empty extended key usage': [purposes(), 'malformed'],

  'refuses a critical extension that it does not know': [
    plus({ id: '1.3.6.1.4.1.99999.1', critical: true, value: Buffer.from([5, 0]) }),
    'critical-extension',
  ],
  'refuses critical policy constraints': [
    plus({ id: '2.5.29.36', critical: true, value: Buffer.from([0x30, 3, 0x80, 1, 0]) }),
    'critical-extension',
  ],
  'refuses an extension that is there twice': [
    plus(extension.keyUsage('digitalSignature')),
    'malformed',
  ],
  'refuses two alternative name extensions': [
    plus(extension.subjectAltName([{ uri: 'spiffe://shop.local/admin' }], false)),
    'malformed',
  ],
  'refuses garbage in an extension that it reads': [
    {
      extensions: (all) =>
        replaced(all, { id: oid.keyUsage, critical: true, value: Buffer.from([1, 2, 3]) }),
    },
    'malformed',
  ],
  'refuses bytes after the value of an extension': [
    {
      extensions: (all) =>
        all.map((one) =>
          one.id === oid.subjectAltName
            ? { ...one, value: Buffer.concat([one.value, Buffer.from([5, 0])]) }
            : one,
        ),
    },
    'malformed',
  ],

  'refuses a certificate that is over': [
    { validity: { notBefore: now - 2 * hour, notAfter: now - 1000 } },
    'expired',
  ],
  'refuses a certificate that starts in a minute': [
    { validity: { notBefore: now + 61_000, notAfter: now + hour } },
    'not-yet-valid',
  ],
  'refuses a certificate that ends before it starts': [
    { validity: { notBefore: now + hour, notAfter: now - hour } },
    'expired',
  ],
  'refuses a serial number of zero': [{ serial: Buffer.from([0]) }, 'malformed'],
  'refuses a negative serial number': [{ serial: Buffer.from([0x80, 1]) }, 'malformed'],
  'refuses a serial number of 21 bytes': [{ serial: Buffer.alloc(21, 1) }, 'malformed'],

  'refuses a sha-1 signature': [{ digest: 'sha1' }, 'weak'],
  'refuses an rsa key of 1024 bits': [{ key: rsa(1024) }, 'weak'],
  'refuses a secp256k1 key': [{ key: curve('secp256k1') }, 'weak'],
  'refuses a p-192 key': [{ key: curve('prime192v1') }, 'weak'],
  'refuses a dsa key': [
    { key: generateKeyPairSync('dsa', { modulusLength: 2048, divisorLength: 256 }).privateKey },
    'weak',
  ],
  'refuses an ed448 key': [{ key: generateKeyPairSync('ed448').privateKey }, 'weak'],
  'refuses a leaf signed by itself under the name of the authority': (() => {
    const key = curve('P-256')
    return [{ key, signingKey: key }, 'unknown-authority'] as const
  })(),
  'refuses a leaf signed by another trust domain under our name': [
    { signingKey: other.intermediate.privateKey },
    'unknown-authority',
  ],
  'refuses an issuer name that nobody has': [
    { issuer: writeName([[oid.commonName, 'nobody']]) },
    'unknown-authority',
  ],
  'refuses an empty issuer name': [{ issuer: nothing }, 'unknown-authority'],
  'refuses more than a hundred names': [
    names(
      { uri: good },
      ...Array.from({ length: 100 }, (_, index) => ({ dns: `n${index}.shop.local` })),
    ),
    'too-large',
  ],
  'refuses two thousand names': [
    names(
      { uri: good },
      ...Array.from({ length: 2000 }, (_, index) => ({ dns: `n${index}.shop.local` })),
    ),
    'too-large',
  ],
}

describe('the leaf', () => {
  it.each(Object.entries(leaves))('%s', (_name, [shape, outcome]) => {
    expect(verdict(aLeaf(shop, shape, now).chain)).toBe(outcome)
  })
})
