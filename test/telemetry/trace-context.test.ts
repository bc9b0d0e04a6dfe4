import { readFileSync } from 'node:fs'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { randomIdentifiers } from '../../src/telemetry/traces/identifiers.ts'
import {
  filterBaggage,
  isInternalHeader,
  meshTraceHeaders,
  readTrace,
  thirdPartyTrace,
} from '../../src/telemetry/traces/boundary.ts'
import {
  formatTraceparent,
  parseTraceparent,
  parseTracestate,
  stateMember,
  withStateMember,
} from '../../src/telemetry/traces/trace-context.ts'
import { vectors } from '../support/vectors.ts'

const traceId = '12345678901234567890123456789012'
const spanId = '1234567890123456'
const valid = `00-${traceId}-${spanId}-01`

const headersOf = (list: readonly (readonly [string, string])[]) => ({
  all: (name: string) =>
    list.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value),
})

interface HarnessCase {
  readonly suite: string
  readonly test: string
  readonly headers: readonly (readonly [string, string])[]
  readonly doc: string
}

/** Cases whose documentation covers inputs of both kinds: what each input must give. */
const continuesTrace = ({ test, headers, doc }: HarnessCase): boolean => {
  const first = headers.find(([name]) => name.toLowerCase() === 'traceparent')?.[1] ?? ''
  if (test === 'test_traceparent_version_0xcc') return !first.includes('-01.')
  if (/newly generated trace_id|new trace_id/.test(doc)) return false
  return headers.some(([name]) => name.toLowerCase() === 'traceparent')
}

const keepsState = ({ test, headers, doc }: HarnessCase): boolean | undefined => {
  const values = headers
    .filter(([name]) => name.toLowerCase() === 'tracestate')
    .map(([, value]) => value)
  if (test === 'test_tracestate_key_length_limit') return undefined
  if (test === 'test_tracestate_member_count_limit') return values.join(',').split(',').length <= 32
  if (test === 'test_tracestate_empty_header') return values.join('') !== ''
  if (test === 'test_tracestate_key_illegal_vendor_format') return !values.join(',').startsWith('@')
  if (doc.includes('tracestate to be discarded')) return false
  return values.length > 0 ? true : undefined
}

const file = vectors('vectors/traceparent/w3c-harness-inputs.json')
const cases: readonly HarnessCase[] =
  file === undefined
    ? []
    : (JSON.parse(readFileSync(file, 'utf8')) as { cases: HarnessCase[] }).cases

describe.skipIf(file === undefined)('inputs of the W3C harness', () => {
  it.each(cases.map((one, index) => [index, one.test, one] as const))('%i %s', (_, __, one) => {
    const { parent } = readTrace(headersOf(one.headers), 'mesh', {
      traceContext: 'propagate',
      baggageKeys: new Set(),
    })
    expect(parent !== undefined).toBe(continuesTrace(one))
    if (parent === undefined) return
    expect(parent.traceId).toBe(traceId)
    expect(formatTraceparent({ ...parent, spanId: 'aaaaaaaaaaaaaaaa' })).toMatch(
      new RegExp(`^00-${traceId}-a{16}-0[0-3]$`),
    )
    const keeps = keepsState(one)
    if (keeps !== undefined) expect(parent.state !== '').toBe(keeps)
    if (one.test === 'test_propagates_random_flag') expect(parent.random).toBe(true)
  })
})

describe('tracestate', () => {
  it('accepts a key of 256 characters and refuses one of 257', () => {
    expect(parseTracestate(['foo=1', `${'z'.repeat(256)}=1`])).toContain('foo=1,zzz')
    expect(parseTracestate(['foo=1', `${'z'.repeat(257)}=1`])).toBe('')
  })

  it('loses its longest members first when it is longer than 512 characters', () => {
    const long = `long=${'x'.repeat(200)}`
    const short = Array.from({ length: 20 }, (_, index) => `k${index}=${'y'.repeat(14)}`)
    const state = parseTracestate([[long, ...short].join(',')])
    expect(state.length).toBeLessThanOrEqual(512)
    expect(state).not.toContain('long')
    expect(state.split(',')).toEqual(short)
  })

  it('is refused whole when it is huge', () => {
    expect(parseTracestate([`a=${'x'.repeat(20_000)}`])).toBe('')
  })

  it('takes our own member in first place and replaces an older one', () => {
    const state = withStateMember('congo=t61,sp=old', 'sp', '00f067aa0ba902b7')
    expect(state).toBe('sp=00f067aa0ba902b7,congo=t61')
    expect(stateMember(state, 'sp')).toBe('00f067aa0ba902b7')
    expect(stateMember(state, 'rojo')).toBeUndefined()
  })

  it('keeps at most 32 members when ours is added', () => {
    const full = Array.from({ length: 32 }, (_, index) => `k${index}=1`).join(',')
    expect(withStateMember(full, 'sp', '1').split(',')).toHaveLength(32)
  })
})

describe('trust boundaries', () => {
  const rules = { traceContext: 'propagate', baggageKeys: new Set(['tenant']) } as const
  const headers = headersOf([
    ['traceparent', valid],
    ['tracestate', 'congo=t61'],
    ['baggage', 'tenant=acme,password=hunter2'],
  ])

  it('continues the trace of a mesh peer, with the listed baggage only', () => {
    const trace = readTrace(headers, 'mesh', rules)
    expect(trace.parent).toEqual({
      traceId,
      spanId,
      sampled: true,
      random: false,
      state: 'congo=t61',
    })
    expect(trace.baggage).toBe('tenant=acme')
    expect(meshTraceHeaders(trace.parent!, trace.baggage)).toEqual([
      ['traceparent', valid],
      ['tracestate', 'congo=t61'],
      ['baggage', 'tenant=acme'],
    ])
  })

  it('restarts the trace of a stranger, keeps a link and drops state and baggage', () => {
    const trace = readTrace(headers, 'edge', rules)
    expect(trace.parent).toBeUndefined()
    expect(trace.link?.traceId).toBe(traceId)
    expect(trace.link?.state).toBe('')
    expect(trace.baggage).toBe('')
  })

  it('ignores every trace header when no propagator is configured', () => {
    const trace = readTrace(headers, 'mesh', {
      traceContext: 'ignore',
      baggageKeys: new Set(['tenant']),
    })
    expect(trace).toEqual({ parent: undefined, link: undefined, baggage: '' })
  })

  it('sends nothing to a third party by default', () => {
    const { parent } = readTrace(headers, 'mesh', rules)
    expect(thirdPartyTrace('strip', parent!, randomIdentifiers())).toEqual({
      headers: [],
      link: undefined,
    })
  })

  it('sends fresh identifiers to a third party that is to echo them, and returns the link', () => {
    const { parent } = readTrace(headers, 'mesh', rules)
    const sent = thirdPartyTrace('restart', parent!, randomIdentifiers())
    expect(sent.headers).toHaveLength(1)
    expect(sent.headers[0]![1]).not.toContain(traceId)
    expect(sent.headers[0]![1]).not.toContain(spanId)
    expect(parseTraceparent([sent.headers[0]![1]])).toEqual(sent.link)
  })

  it('sends state to no third party, even where the context may pass', () => {
    const { parent } = readTrace(headers, 'mesh', rules)
    const sent = thirdPartyTrace('unsafe-pass', parent!, randomIdentifiers())
    expect(sent.headers).toEqual([['traceparent', valid]])
  })

  it.each([
    'traceparent',
    'tracestate',
    'baggage',
    'b3',
    'x-b3-traceid',
    'uber-trace-id',
    'sentry-trace',
    'x-request-id',
    'x-amzn-trace-id',
    'via',
    'x-forwarded-for',
    'x-forwarded-client-cert',
    'server-timing',
    'txn-token',
    'workload-identity-token',
    'x-sallyport-hop',
  ])('knows %s as a header of the inside', (name) => {
    expect(isInternalHeader(name)).toBe(true)
  })

  it.each(['accept', 'content-type', 'stripe-version', 'idempotency-key'])(
    'lets %s leave',
    (name) => {
      expect(isInternalHeader(name)).toBe(false)
    },
  )
})

describe('baggage', () => {
  it('is dropped whole above 8192 bytes', () => {
    expect(filterBaggage([`tenant=${'a'.repeat(8_200)}`], new Set(['tenant']))).toBe('')
  })

  it('loses members that are not well formed', () => {
    expect(filterBaggage(['tenant=a b,tenant=ok;x=1,=1,tenant'], new Set(['tenant']))).toBe(
      'tenant=ok;x=1',
    )
  })
})

describe('whatever arrives', () => {
  const rules = { traceContext: 'propagate', baggageKeys: new Set(['tenant']) } as const
  const header = fc.oneof(
    fc.string(),
    fc.string({ unit: fc.constantFrom(...'0123456789abcdef-= ,;@'.split('')) }),
    fc.constant(valid),
    fc.constantFrom('a=1', 'tenant=acme', `${'k'.repeat(300)}=1`),
  )

  it('gives a context that can be sent on, or none, and never an exception', () => {
    fc.assert(
      fc.property(
        fc.array(header, { maxLength: 3 }),
        fc.array(header),
        fc.array(header),
        (parents, states, bags) => {
          const list = [
            ...parents.map((value) => ['traceparent', value] as const),
            ...states.map((value) => ['tracestate', value] as const),
            ...bags.map((value) => ['baggage', value] as const),
          ]
          const { parent, baggage } = readTrace(headersOf(list), 'mesh', rules)
          if (parent === undefined) return
          expect(parseTraceparent([formatTraceparent(parent)])).toEqual({ ...parent, state: '' })
          expect(parent.state.length).toBeLessThanOrEqual(512)
          expect(parseTracestate(parent.state === '' ? [] : [parent.state])).toBe(parent.state)
          expect(baggage).not.toMatch(/[^\x20-\x7e]/)
        },
      ),
      { numRuns: 2_000 },
    )
  })
})

describe('identifiers', () => {
  it('are lower-case hex, never all zero, and differ', () => {
    const ids = randomIdentifiers()
    const traces = new Set(Array.from({ length: 2_000 }, () => ids.traceId()))
    expect(traces.size).toBe(2_000)
    for (const id of traces) expect(id).toMatch(/^[0-9a-f]{32}$/)
    const zero = randomIdentifiers((pool) => pool.fill(0))
    expect(zero.traceId()).toBe(`${'0'.repeat(31)}1`)
    expect(zero.spanId()).toBe(`${'0'.repeat(15)}1`)
  })
})
