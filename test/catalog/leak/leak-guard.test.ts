import * as fc from 'fast-check'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { LeakGuard } from '../../../src/catalog/leak/leak-guard.ts'
import { apisSection } from '../../../src/catalog/section.ts'
import { Secret } from '../../../src/secret.ts'

const key = 'sk_live_51HxQ2eKzT9vWm8Ld4RpYc7Ab'
const settings = apisSection.parse({
  leak_guard: {
    patterns: [{ name: 'aws key', pattern: 'AKIA[0-9A-Z]{16}', may_go_to: ['storage'] }],
  },
  data_classes: {
    pci: { detect: ['card-number'] },
    bank: { detect: ['iban'] },
    contact: { detect: ['email'] },
    staff: { patterns: ['EMP-[0-9]{6}'] },
  },
})
const keys = [
  { entry: { name: 'cards', owner: 'group:payments' }, id: 'cards-live', key: new Secret(key) },
  { entry: { name: 'mail', owner: 'group:crm' }, id: 'mail', key: new Secret('short') },
]
const guard = new LeakGuard(settings, keys)
const judge = (
  departure: {
    target?: string
    headers?: readonly (readonly [string, string])[]
    body?: string | Buffer
  },
  destination = 'mail',
) =>
  guard.judgePlain(destination, {
    target: departure.target ?? '/',
    headers: departure.headers ?? [],
    body: departure.body === undefined ? undefined : Buffer.from(departure.body),
  })
const b64 = (text: string): string => Buffer.from(text).toString('base64')
const unicode = (text: string): string =>
  text
    .split('')
    .map((one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('')
const percent = (text: string): string =>
  text
    .split('')
    .map((one) => `%${one.charCodeAt(0).toString(16)}`)
    .join('')
const half = Math.floor(key.length / 2)

describe('a key on its way to another host', () => {
  const hidden: readonly (readonly [string, Parameters<typeof judge>[0]])[] = [
    ['in a header', { headers: [['x-debug', key]] }],
    ['within a header', { headers: [['authorization', `Bearer ${key}`]] }],
    ['in a header name', { headers: [[key, '1']] }],
    ['in basic credentials', { headers: [['authorization', `Basic ${b64(`user:${key}`)}`]] }],
    ['in the path', { target: `/keys/${key}/x` }],
    ['in the query', { target: `/?k=${key}` }],
    ['in the query, percent-encoded throughout', { target: `/?k=${percent(key)}` }],
    ['in the query, percent-encoded twice', { target: `/?k=${encodeURIComponent(percent(key))}` }],
    ['in a body', { body: `{"note":"my key is ${key}."}` }],
    ['in a form', { body: `a=1&b=${encodeURIComponent(key)}` }],
    ['in a body with JSON escapes', { body: `{"note":"${unicode(key)}"}` }],
    [
      'in JSON within JSON',
      { body: JSON.stringify({ a: JSON.stringify({ b: JSON.stringify({ key }) }) }) },
    ],
    ['in base64, first alignment', { body: b64(`${key}!`) }],
    ['in base64, second alignment', { body: b64(`a${key}!`) }],
    ['in base64, third alignment', { body: b64(`ab${key}!`) }],
    [
      'in base64 that is percent-encoded',
      { target: `/?v=${encodeURIComponent(b64(`xx${key}xx`))}` },
    ],
    ['in base64 with line ends', { body: b64(`x${key}y`).replaceAll(/(.{10})/g, '$1\r\n') }],
    ['in base64url', { body: Buffer.from(`??>${key}`).toString('base64url') }],
    ['in hex', { body: Buffer.from(key).toString('hex') }],
    ['in upper-case hex', { body: Buffer.from(key).toString('hex').toUpperCase() }],
    [
      'in HTML entities',
      {
        body: key
          .split('')
          .map((one) => `&#${one.charCodeAt(0)};`)
          .join(''),
      },
    ],
    [
      'split over two headers',
      {
        headers: [
          ['x-a', key.slice(0, half)],
          ['x-b', key.slice(half)],
        ],
      },
    ],
    [
      'split over four headers',
      { headers: [0, 1, 2, 3].map((at) => [`x-${at}`, key.slice(at * 9, at * 9 + 9)] as const) },
    ],
    [
      'split over two members',
      { body: JSON.stringify({ first: key.slice(0, half), second: key.slice(half) }) },
    ],
    ['split over many items', { body: JSON.stringify(key.match(/.{1,4}/g)) }],
    [
      'split over query parameters',
      { target: `/?${(key.match(/.{1,6}/g) ?? []).map((part, at) => `p${at}=${part}`).join('&')}` },
    ],
    ['with spaces inside', { body: key.match(/.{1,5}/g)?.join(' ') ?? '' }],
    ['only its second half', { body: key.slice(half) }],
    ['after much else', { body: 'x'.repeat(200_000) + key }],
  ]
  it.each(hidden)('is refused %s', (_, departure) => {
    const verdict = judge(departure)
    expect(verdict).toMatchObject({
      decision: 'refuse',
      code: 'api.leak',
      leaks: expect.arrayContaining([
        expect.objectContaining({ kind: 'key', id: 'cards-live', belongsTo: 'cards' }),
      ]) as unknown,
    })
    expect(JSON.stringify(verdict)).not.toContain(key.slice(-10))
  })

  it.each(hidden)('passes to its own host %s', (_, departure) => {
    expect(judge(departure, 'cards').decision).toBe('allow')
  })

  it.each([
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
  ] as const)('is refused in a body compressed with %s', async (encoding, compress) => {
    expect(
      (
        await guard.judge(
          'mail',
          { target: '/', headers: [], body: compress(`{"k":"${key}"}`) },
          encoding,
        )
      ).decision,
    ).toBe('refuse')
    expect(
      (
        await guard.judge(
          'mail',
          { target: '/', headers: [], body: compress('{"k":"v"}') },
          encoding,
        )
      ).decision,
    ).toBe('allow')
  })

  it('is only recorded in observe, and not looked for when off', () => {
    const of = (mode: 'observe' | 'off') =>
      new LeakGuard({ ...settings, leak_guard: { ...settings.leak_guard, mode } }, keys)
    const departure = { target: `/?k=${key}`, headers: [], body: undefined }
    expect(of('observe').judgePlain('mail', departure)).toMatchObject({
      decision: 'observe',
      leaks: [{ form: 'raw' }],
    })
    expect(of('off').judgePlain('mail', departure)).toMatchObject({ decision: 'allow', leaks: [] })
  })

  it('may go to both entries that share it', () => {
    const shared = new LeakGuard(settings, [
      ...keys,
      {
        entry: { name: 'refunds', owner: 'group:payments' },
        id: 'cards-live',
        key: new Secret(key),
      },
    ])
    const departure = { target: '/', headers: [['x', key]] as const, body: undefined }
    expect(shared.judgePlain('refunds', departure).decision).toBe('allow')
    expect(shared.judgePlain('mail', departure).decision).toBe('refuse')
  })
})

describe('honest traffic', () => {
  it.each([
    [
      'another key of the same vendor',
      { headers: [['authorization', 'Bearer sk_live_zzzzzzzzzzzzzzzzzzzzzzzzz']] as const },
    ],
    ['the public prefix', { body: 'use a key that begins with sk_live_' }],
    ['a word that is a short key', { body: 'a short text' }],
    [
      'a JWT',
      {
        headers: [
          ['authorization', `Bearer ${b64('{"alg":"ES256"}')}.${b64('{"sub":"x"}')}.c2ln`],
        ] as const,
      },
    ],
    ['binary', { body: Buffer.from(Array.from({ length: 5_000 }, (_, at) => (at * 7919) % 256)) }],
    ['broken escapes', { target: '/?a=%zz%', body: '"\\u12"\\' }],
    ['nothing', {}],
  ])('passes %s', (_, departure) => {
    expect(judge(departure)).toMatchObject({ decision: 'allow', leaks: [] })
  })

  it('passes whatever does not hold the key', () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 300 }),
        fc.base64String({ maxLength: 300 }),
        fc.uint8Array({ maxLength: 300 }),
        (text, encoded, bytes) =>
          judge({
            target: `/${encodeURIComponent(text)}?e=${encoded}`,
            headers: [['x', encoded]],
            body: Buffer.from(bytes),
          }).decision === 'allow',
      ),
      { numRuns: 300 },
    )
  })
})

describe('declared patterns and data classes', () => {
  it('refuses a pattern, except where it may go', () => {
    const departure = { body: '{"id":"AKIAIOSFODNN7EXAMPLE"}' }
    expect(judge(departure)).toMatchObject({
      decision: 'refuse',
      leaks: [{ kind: 'pattern', id: 'aws key', place: 'body' }],
    })
    expect(judge({ body: `{"id":"${unicode('AKIAIOSFODNN7EXAMPLE')}"}` }).decision).toBe('refuse')
    expect(judge(departure, 'storage').decision).toBe('allow')
  })

  it.each([
    ['a card number', '{"n":"4242424242424242"}', ['pci']],
    ['a card number in groups', 'pay 5555 5555 5555 4444 now', ['pci']],
    ['a percent-encoded card number', 'n=4242%204242%204242%204242', ['pci']],
    ['an IBAN', 'DE89 3704 0044 0532 0130 00', ['bank']],
    ['an address', 'to: jo@shop.example', ['contact']],
    ['an employee number', 'EMP-123456', ['staff']],
    ['a number that fails the check', '4242424242424241', []],
    ['an order number', '1234567890123456', []],
    ['a timestamp with fractions', '1732363200.123456789012', []],
    ['an IBAN with a wrong check', 'DE88370400440532013000', []],
    ['nothing of note', '{"a":1}', []],
  ])('recognises %s', (_, body, data) => {
    expect(judge({ body }).data).toEqual(data)
  })

  it('refuses at load a pattern that may never end or is none', () => {
    for (const pattern of ['(a+)+$', '(', '']) {
      expect(
        apisSection.safeParse({ leak_guard: { patterns: [{ name: 'x', pattern }] } }).success,
      ).toBe(false)
    }
  })
})
