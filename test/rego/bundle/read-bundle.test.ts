/** Bundles as they come over the wire: what is read, and that nothing else is. */
import { generateKeyPairSync } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { BundleError } from '../../../src/rego/bundle/bundle-error.ts'
import { readBundle, type BundleTrust } from '../../../src/rego/bundle/read-bundle.ts'
import type { BundleKey, SignatureAlgorithm } from '../../../src/rego/bundle/signature.ts'
import { bundleLimits } from '../../../src/rego/bundle/tar.ts'
import { compileBundle } from '../../../src/rego/policy.ts'
import { archiveOf, bundleOf, listed, signed, tarEntry, type Files } from './archive.ts'

const policy = 'package shop\n\nallow if data.shop.users[input.user]\n'
const data = '{"users": {"zoe": true, "ann": true}, "rate": 1.50}'
const canonicalData = '{"rate":1.50,"users":{"ann":true,"zoe":true}}'
const manifest = '{"revision": "r1", "roots": ["shop"]}'
const canonicalManifest = '{"revision":"r1","roots":["shop"]}'

const files: Files = [
  ['/.manifest', manifest],
  ['/policies/shop.rego', policy],
  ['/shop/data.json', data],
]

const hashedFiles = [
  listed('.manifest', canonicalManifest),
  listed('policies/shop.rego', policy, 'SHA-512'),
  listed('shop/data.json', canonicalData),
]

const codeOf = (archive: Buffer, trust: BundleTrust): string => {
  try {
    readBundle(archive, trust)
    return 'accepted'
  } catch (error) {
    if (error instanceof BundleError) return error.code
    throw error
  }
}

const unsigned = { kind: 'none' } as const

describe('a bundle', () => {
  it('gives its revision, its modules and its data where their folders are', () => {
    const bundle = readBundle(bundleOf(files), unsigned)
    expect(bundle.revision).toBe('r1')
    const query = compileBundle(bundle).prepare('data.shop.allow')
    expect(query.decide({ user: 'ann' }).value).toBe(true)
    expect(query.decide({ user: 'bob' }).defined).toBe(false)
  })

  it('reads each file in the version of Rego that its manifest names', () => {
    const versions = '{"rego_version": 1, "file_rego_versions": {"/old/*.rego": 0}}'
    const bundle = readBundle(
      bundleOf([
        ['.manifest', versions],
        ['old/a.rego', 'package old\n\nallow { input.x }\n'],
        ['new/a.rego', 'package new\n\nallow if data.old.allow\n'],
      ]),
      unsigned,
    )
    expect(compileBundle(bundle).prepare('data.new.allow').decide({ x: 1 }).value).toBe(true)
  })

  it('reads YAML, long names and folders', () => {
    const long = `${'deep/'.repeat(30)}data.yaml`
    const archive = archiveOf([
      tarEntry('./', Buffer.alloc(0), '5'),
      tarEntry('././@LongLink', Buffer.from(`${long}\0`), 'L'),
      tarEntry(long.slice(0, 100), Buffer.from('limit: 3\n')),
      tarEntry('pax', Buffer.from('24 path=other/data.json\n'), 'x'),
      tarEntry('x', Buffer.from('{"a": 1}')),
    ])
    const { data: found } = readBundle(archive, unsigned)
    expect(JSON.stringify(found)).toContain('"limit":3')
    expect(found['other']).toEqual({ a: 1 })
  })

  const damaged: readonly (readonly [string, Buffer, string])[] = [
    ['that is not gzip', Buffer.from('not gzip'), 'archive'],
    ['that was cut', bundleOf(files).subarray(0, 200), 'archive'],
    ['without an end', gzipSync(tarEntry('a.rego', Buffer.from(policy))), 'archive'],
    ['with a name that leaves it', bundleOf([['../a.rego', policy]]), 'archive'],
    ['with a link', archiveOf([tarEntry('a.rego', Buffer.alloc(0), '2')]), 'archive'],
    [
      'with a file twice',
      bundleOf([
        ['a.rego', policy],
        ['/a.rego', policy],
      ]),
      'archive',
    ],
    [
      'with data that two files give',
      bundleOf([
        ['data.json', '{"a":{"b":1}}'],
        ['a/data.json', '{"b":2}'],
      ]),
      'data',
    ],
    ['with data that is no JSON', bundleOf([['data.json', '{']]), 'data'],
    ['with data that is no object at the top', bundleOf([['data.json', '[1]']]), 'data'],
    [
      'with a package outside its roots',
      bundleOf([
        ['.manifest', manifest],
        ['a.rego', 'package other\n'],
      ]),
      'roots',
    ],
    [
      'with data outside its roots',
      bundleOf([
        ['.manifest', manifest],
        ['data.json', '{"shop":{},"x":1}'],
      ]),
      'roots',
    ],
    ['with roots that overlap', bundleOf([['.manifest', '{"roots":["a","a/b"]}']]), 'manifest'],
    ['with a manifest that is no JSON', bundleOf([['.manifest', '{']]), 'manifest'],
    [
      'with WebAssembly',
      bundleOf([['.manifest', '{"wasm":[{"module":"/policy.wasm"}]}']]),
      'manifest',
    ],
    ['that is a patch', bundleOf([['patch.json', '{"data":[]}']]), 'archive'],
    [
      'with a signature that nobody checks',
      bundleOf([['.signatures.json', '{"signatures":["x"]}']]),
      'unexpected-signature',
    ],
  ]

  it.each(damaged)('%s is refused', (_what, archive, code) => {
    expect(codeOf(archive, unsigned)).toBe(code)
  })

  it('over its limits is refused before it is unpacked whole', () => {
    const archive = bundleOf([['data.json', `{"a":"${' '.repeat(1_000_000)}"}`]])
    const limits = { ...bundleLimits, bytes: 100_000 }
    expect(() => readBundle(archive, unsigned, limits)).toThrow(/unpacks to more/)
    expect(() => readBundle(archive, unsigned, { ...limits, compressedBytes: 10 })).toThrow(
      /more than 10 bytes/,
    )
    expect(() => readBundle(bundleOf(files), unsigned, { ...bundleLimits, files: 2 })).toThrow(
      /more than 2 files/,
    )
  })
})

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const curve = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const other = generateKeyPairSync('ec', { namedCurve: 'P-256' })

const keyOf = (algorithm: SignatureAlgorithm): BundleKey => ({
  key: (algorithm.startsWith('E') ? curve : rsa).publicKey,
  id: 'release',
  algorithm,
  scope: 'read',
})

const claims = { files: hashedFiles, scope: 'read', keyid: 'release', iat: 1_700_000_000 }

const withSignature = (token: string): Files => [
  ...files,
  ['/.signatures.json', JSON.stringify({ signatures: [token] })],
]

const trust = { kind: 'key', key: keyOf('ES256') } as const
const token = signed(claims, curve.privateKey, { alg: 'ES256', typ: 'JWT', kid: 'release' })
const good = withSignature(token)

describe('a signed bundle', () => {
  it.each(['ES256', 'RS256', 'RS512', 'PS256', 'PS384'] as const)(
    'is accepted with %s',
    (algorithm) => {
      const by = algorithm.startsWith('E') ? curve.privateKey : rsa.privateKey
      const archive = bundleOf(withSignature(signed(claims, by, { alg: algorithm })))
      expect(codeOf(archive, { kind: 'key', key: keyOf(algorithm) })).toBe('accepted')
    },
  )

  it('is accepted when its data is laid out otherwise, since the document is what is signed', () => {
    const relaid = good.map(([name, content]) =>
      name === '/shop/data.json'
        ? ([name, '{"rate":1.50,\n"users":{"ann":true,"zoe":true}}'] as const)
        : ([name, content] as const),
    )
    expect(codeOf(bundleOf(relaid), trust)).toBe('accepted')
  })

  it('is refused when any byte of any of its files is another', () => {
    const accepted: string[] = []
    let tried = 0
    for (const [index, [name, content]] of good.entries()) {
      for (let at = 0; at < content.length; at += 1) {
        for (const mask of [0x01, 0x80, 0xff]) {
          const changed = Buffer.from(content)
          changed[at] = (changed[at] ?? 0) ^ mask
          const archive = bundleOf(good.with(index, [name, changed]))
          tried += 1
          if (codeOf(archive, trust) === 'accepted') accepted.push(`${name}:${at}^${mask}`)
        }
      }
    }
    expect(accepted).toEqual([])
    expect(tried).toBeGreaterThan(2_000)
  })

  it('is refused when a file is missing, is more, or has another name', () => {
    for (const index of files.keys()) {
      expect(codeOf(bundleOf(good.toSpliced(index, 1)), trust)).toBe('files')
      const [name, content] = good[index]!
      expect(codeOf(bundleOf(good.with(index, [`x${name}`, content])), trust)).toBe('files')
    }
    for (const name of ['extra.rego', 'shop/data.yaml', 'notes.txt', 'policy.wasm'])
      expect(codeOf(bundleOf([...good, [name, '']]), trust)).toBe('files')
  })

  it('is refused when two files have changed places', () => {
    const [first, second, ...rest] = good
    const swapped: Files = [
      first!,
      [rest[0]![0], second![1]],
      [second![0], rest[0]![1]],
      ...rest.slice(1),
    ]
    expect(codeOf(bundleOf(swapped), trust)).toBe('files')
  })

  it('is refused without its signature, and with two', () => {
    expect(codeOf(bundleOf(files), trust)).toBe('unsigned')
    const two = JSON.stringify({ signatures: [token, token] })
    expect(codeOf(bundleOf([...files, ['.signatures.json', two]]), trust)).toBe('signature')
  })

  const forged: readonly (readonly [string, string])[] = [
    ['by another key', signed(claims, other.privateKey, { alg: 'ES256' })],
    [
      'for another scope',
      signed({ ...claims, scope: 'write' }, curve.privateKey, { alg: 'ES256' }),
    ],
    ['for no scope', signed({ ...claims, scope: undefined }, curve.privateKey, { alg: 'ES256' })],
    ['that names another key', signed(claims, curve.privateKey, { alg: 'ES256', kid: 'debug' })],
    [
      'whose list names another key',
      signed({ ...claims, keyid: 'debug' }, curve.privateKey, { alg: 'ES256' }),
    ],
    ['with another algorithm', signed(claims, rsa.privateKey, { alg: 'RS256' })],
    [
      'with no algorithm',
      `${Buffer.from('{"alg":"none"}').toString('base64url')}.${token.split('.')[1]}.`,
    ],
    [
      'with an algorithm put in its head',
      token.replace(/^[^.]+/, Buffer.from('{"alg":"HS256"}').toString('base64url')),
    ],
    [
      'with critical members',
      signed(claims, curve.privateKey, { alg: 'ES256', crit: ['x'], x: 1 }),
    ],
    [
      'over weak hashes',
      signed(
        { ...claims, files: hashedFiles.map((file) => ({ ...file, algorithm: 'MD5' })) },
        curve.privateKey,
        { alg: 'ES256' },
      ),
    ],
    [
      'that lists a file twice',
      signed({ ...claims, files: [...hashedFiles, hashedFiles[0]] }, curve.privateKey, {
        alg: 'ES256',
      }),
    ],
    ['without a list', signed({ scope: 'read' }, curve.privateKey, { alg: 'ES256' })],
  ]

  it.each(forged)('is refused with a signature %s', (_what, forgery) => {
    expect(codeOf(bundleOf(withSignature(forgery)), trust)).toBe('signature')
  })

  it('without a scope is accepted where none is configured, and refused with one', () => {
    const { scope: _scope, ...plain } = claims
    const archive = bundleOf(withSignature(signed(plain, curve.privateKey, { alg: 'ES256' })))
    expect(codeOf(archive, { kind: 'key', key: { ...keyOf('ES256'), scope: '' } })).toBe('accepted')
    expect(codeOf(bundleOf(good), { kind: 'key', key: { ...keyOf('ES256'), scope: '' } })).toBe(
      'signature',
    )
  })
})
