import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import {
  judgeResponseBody,
  planResponse,
  sniffMismatch,
} from '../../../src/catalog/distrust/inspect-response.ts'
import { judgeRequest, planRequest } from '../../../src/catalog/distrust/inspect-request.ts'
import { cardsEntry } from '../../support/card-api.ts'
import { cardsYaml, entryOf } from '../../support/catalog.ts'

type Headers = readonly (readonly [string, string])[]
const json: Headers = [['Content-Type', 'application/json']]
const callOf = (more = '', method = 'POST') => {
  const entry = cardsEntry(more)
  return {
    entry,
    operation: entry.operations.find((one) => one.id === 'createCharge'),
    method,
    url: 'https://cards.example:8443/v1/charges',
  }
}
const plan = (status: number, headers: Headers, more = '', method = 'POST') => {
  const planned = planResponse(callOf(more, method), { status, headers })
  return planned.decision === 'refuse' ? planned.finding.reason : planned.decision
}
const judge = async (body: string | Buffer, more = '', headers = json, status = 201) => {
  const verdict = await judgeResponseBody(callOf(more), { status, headers }, Buffer.from(body))
  return verdict.decision === 'refuse'
    ? verdict.finding.reason
    : { ...verdict, body: verdict.body.toString() }
}
const good = '{"id":"ch_1","amount":10.50,"note":null}'

describe('the head of an answer', () => {
  it.each([
    ['JSON is held to be read', 201, json, '', 'hold'],
    ['anything else streams', 200, [['content-type', 'application/pdf']], '', 'stream'],
    [
      'a stream of documents streams',
      200,
      [['content-type', 'application/x-ndjson']],
      '',
      'stream',
    ],
    ['JSON streams when nothing asks to see it', 200, json, 'distrust: { json: off }\n', 'stream'],
    [
      'a contract is enforced on any type',
      200,
      [['content-type', 'text/csv']],
      'validation: { response: enforce }\n',
      'hold',
    ],
    ['an answer without a body is not held', 204, json, '', 'stream'],
    [
      'too long by its own word',
      200,
      [...json, ['content-length', '99999999']],
      '',
      'response-size',
    ],
    [
      'too many headers',
      200,
      Array.from({ length: 101 }, (_, index) => [`x-${index}`, '1'] as const),
      '',
      'header-count',
    ],
    ['too long headers', 200, [['x', 'a'.repeat(20_000)]], '', 'header-size'],
    ['two content types', 200, [...json, ['content-type', 'text/html']], '', 'content-type'],
    [
      'a content type that is not declared',
      200,
      [['content-type', 'text/html']],
      "distrust: { content_types: ['application/json', 'image/*'] }\n",
      'content-type',
    ],
    [
      'no content type where some are declared',
      200,
      [],
      'distrust: { content_types: [application/json] }\n',
      'content-type',
    ],
    [
      'a content type of a declared range',
      200,
      [['content-type', 'image/png']],
      "distrust: { content_types: ['application/json', 'image/*'] }\n",
      'stream',
    ],
  ] as const)('%s', (_, status, headers, more, expected) => {
    expect(plan(status, headers, more)).toBe(expected)
  })

  it.each([
    ['to its own host', 'https://cards.example:8443/elsewhere', 'stream'],
    ['by a path', '/elsewhere', 'stream'],
    ['to a declared target', 'https://files.example/x', 'stream'],
    ['below a declared wildcard', 'https://a.cdn.example/x', 'stream'],
    ['to another host', 'https://evil.example/', 'redirect'],
    ['to another port', 'https://cards.example/', 'redirect'],
    ['to the apex of a wildcard', 'https://cdn.example/', 'redirect'],
    ['to plaintext', 'http://cards.example:8443/', 'redirect'],
    ['by a scheme-relative reference', '//evil.example/', 'redirect'],
    ['by backslashes', '\\\\evil.example/', 'redirect'],
    ['with user information', 'https://cards.example:8443@evil.example/', 'redirect'],
    ['with user information for its own host', 'https://u:p@cards.example:8443/', 'redirect'],
    ['to an address in disguise', 'https://0x7f.1/', 'redirect'],
    ['to the metadata service', 'http://169.254.169.254/latest', 'redirect'],
    ['to a file', 'file:///etc/passwd', 'redirect'],
    ['to a script', 'javascript:alert(1)', 'redirect'],
    ['to nothing readable', 'https://[', 'redirect'],
  ])('judges a redirect %s', (_, location, expected) => {
    const targets = "redirects: { targets: ['files.example', '*.cdn.example'] }\n"
    expect(plan(302, [['location', location]], targets)).toBe(expected)
    expect(plan(200, [['location', location]], targets)).toBe('stream')
    expect(plan(302, [['location', location]], targets.replace('{', '{ mode: observe,'))).toBe(
      'stream',
    )
  })

  it('refuses two Location headers, and records what it would refuse', () => {
    expect(
      plan(302, [
        ['location', '/a'],
        ['Location', '/b'],
      ]),
    ).toBe('redirect')
    expect(
      planResponse(callOf('redirects: { mode: observe }\n'), {
        status: 301,
        headers: [['location', 'https://evil.example/']],
      }),
    ).toMatchObject({ observed: [{ code: 'api.redirect' }] })
  })

  it('finds HTML that calls itself something else', () => {
    expect(
      sniffMismatch(
        { status: 200, headers: [['content-type', 'text/plain']] },
        Buffer.from(' \n<!DOCTYPE html>'),
      ),
    ).toMatchObject({ reason: 'content-type' })
    expect(
      sniffMismatch(
        { status: 200, headers: [['content-type', 'text/html']] },
        Buffer.from('<html>'),
      ),
    ).toBeUndefined()
    expect(
      sniffMismatch(
        { status: 200, headers: [['content-type', 'text/plain']] },
        Buffer.from('a < b'),
      ),
    ).toBeUndefined()
  })
})

describe('the body of an answer', () => {
  it('passes good bytes as they came, compressed or not', async () => {
    const call = callOf('validation: { response: enforce, text: escape }\n')
    for (const [body, headers] of [
      [Buffer.from(` ${good}\n`), json],
      [gzipSync(good), [...json, ['content-encoding', 'gzip']]],
    ] as const) {
      const verdict = await judgeResponseBody(call, { status: 201, headers }, body)
      expect(verdict).toMatchObject({
        decision: 'pass',
        rewritten: 'no',
        redactions: 0,
        schemaValid: true,
      })
      if (verdict.decision === 'pass') expect(verdict.body).toBe(body)
    }
  })

  it.each([
    ['a prototype key', '{"__proto__":{"admin":true}}', 'json-prototype-key'],
    ['a duplicate key', '{"amount":1,"amount":2}', 'json-duplicate-key'],
    ['deep nesting', '['.repeat(100) + ']'.repeat(100), 'json-depth'],
    ['HTML under a JSON type', '<html>', 'json-malformed'],
    ['bytes that are not UTF-8', Buffer.from([0x22, 0xff, 0x22]), 'invalid-utf8'],
    [
      'too many keys',
      `{${Array.from({ length: 10_001 }, (_, index) => `"${index}":0`).join(',')}}`,
      'json-keys',
    ],
  ])('refuses %s, and only records it in observe', async (_, body, reason) => {
    expect(await judge(body)).toBe(reason)
    const observed = await judge(
      body,
      'distrust: { json: observe }\nvalidation: { response: strip, text: escape }\n',
    )
    expect(observed).toMatchObject({ decision: 'pass', rewritten: 'no', observed: [{ reason }] })
  })

  it('refuses a bomb, a broken encoding and a body over its limit', async () => {
    const gzip: Headers = [...json, ['content-encoding', 'gzip']]
    expect(await judge(gzipSync(Buffer.alloc(20_000_000, 0x20)), '', gzip)).toMatch(/^decompress/)
    expect(await judge('not gzip', '', gzip)).toBe('encoding-broken')
    expect(await judge('[]', '', [...json, ['content-encoding', 'lzma']])).toBe('encoding-unknown')
    expect(await judge(`"${'a'.repeat(100)}"`, 'distrust: { response_size: 50B }\n')).toBe(
      'response-size',
    )
  })

  it('enforces, observes or ignores the contract', async () => {
    const bad = '{"id":"ch_1"}'
    expect(await judge(bad, 'validation: { response: enforce }\n')).toBe('response-body')
    expect(await judge(bad, 'validation: { response: observe }\n')).toMatchObject({
      decision: 'pass',
      schemaValid: false,
      observed: [{ code: 'api.response-contract' }],
    })
    expect(await judge(bad)).toMatchObject({
      decision: 'pass',
      schemaValid: undefined,
      observed: [],
    })
  })

  it('strips what is not named, keeps numbers as written, and refuses what is then still wrong', async () => {
    const more = 'validation: { response: strip }\n'
    expect(
      await judge(
        '{"id":"ch_1","amount":10.50,"big":1,"parent":{"id":"x","amount":90071992547409931234,"x":1}}',
        more,
      ),
    ).toMatchObject({
      body: '{"id":"ch_1","amount":10.50,"parent":{"id":"x","amount":90071992547409931234}}',
      rewritten: 'yes',
      redactions: 2,
      schemaValid: true,
    })
    expect(await judge('{"id":"ch_1","extra":1}', more)).toBe('response-body')
  })

  it.each([
    '<script>alert(1)</script>',
    '<img src=x onerror=alert(1)>',
    '<!-- -->',
    '&#x3c;script&#x3e;',
    '&lt;b&gt;',
    'javascript:alert(1)',
    ' \u0001JavaScript :x',
    '</div>',
    '<svg/onload=1>',
    'data:text/html,x',
  ])('refuses or escapes %s in a text field', async (text) => {
    const body = JSON.stringify({
      id: 'ch_1',
      amount: 1,
      note: 'fine',
      lines: [{ label: text }],
      other: text,
    })
    expect(await judge(body, 'validation: { text: refuse }\n')).toBe('markup')
    const escaped = await judge(body, 'validation: { text: escape }\n')
    if (typeof escaped === 'string') throw new Error(escaped)
    const { lines, other } = JSON.parse(escaped.body) as {
      lines: { label: string }[]
      other: string
    }
    expect(lines[0]!.label).not.toMatch(/[<>"']/)
    expect(other).toBe(text)
  })

  it.each([
    'a < b and c > d',
    'Müller & Söhne',
    'AT&T',
    '5 <6',
    'see https://shop.example?a=1&b=2',
    'données: rien',
    '日本語',
  ])('leaves %s in a text field alone', async (note) => {
    expect(await judge(JSON.stringify({ note }), 'validation: { text: refuse }\n')).toMatchObject({
      decision: 'pass',
      rewritten: 'no',
    })
  })

  it('keeps prototypes clean whatever comes', async () => {
    await judge(
      '{"constructor":{"prototype":{"polluted":1}}}',
      'distrust: { json: observe }\nvalidation: { response: strip }\n',
    )
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })
})

describe('a request on its way out', () => {
  const request = { method: 'POST', parameters: {}, query: '', headers: json }
  const decide = async (more: string, body: string) => {
    const entry = cardsEntry(more)
    const operation = entry.operations.find((one) => one.id === 'createCharge')!
    const verdict = await judgeRequest(entry, operation, request, Buffer.from(body))
    return [
      planRequest(entry, operation, request).decision,
      verdict.decision === 'refuse'
        ? verdict.finding.reason
        : verdict.observed.map((one) => one.reason),
    ]
  }
  it('streams unless its contract is checked', async () => {
    expect(await decide('', '{"amount":1,"amount":2}')).toEqual(['stream', []])
  })
  it('is refused or recorded when it breaks the contract', async () => {
    expect(await decide('validation: { request: enforce }\n', '{"amount":1,"secret":"s"}')).toEqual(
      ['hold', []],
    )
    expect(
      await decide('validation: { request: enforce }\n', '{"amount":-1,"secret":"s"}'),
    ).toEqual(['hold', 'request-body'])
    expect(await decide('validation: { request: enforce }\n', '{"amount":1,"amount":2}')).toEqual([
      'hold',
      'json-duplicate-key',
    ])
    expect(await decide('validation: { request: observe }\n', '{}')).toEqual([
      'hold',
      ['request-body'],
    ])
  })
  it('is refused over its size', () => {
    const entry = entryOf(cardsYaml('distrust: { request_size: 10B }\n'))
    expect(
      planRequest(entry, entry.operations[0]!, { ...request, headers: [['content-length', '11']] })
        .decision,
    ).toBe('refuse')
    expect(
      planRequest(entry, entry.operations[0]!, { ...request, headers: [['content-length', '10']] })
        .decision,
    ).toBe('stream')
  })
})
