import { Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { Secret } from '../../src/secret.ts'
import type { Decision } from '../../src/telemetry/audit/record.ts'
import { openLog } from '../../src/telemetry/log.ts'
import type { LogOptions } from '../../src/telemetry/log.ts'

const open = (options: Partial<LogOptions> = {}) => {
  const lines: string[] = []
  const output = new Writable({
    decodeStrings: false,
    write(chunk: string, _, done) {
      if (chunk !== '') lines.push(chunk)
      done()
    },
  })
  const log = openLog({
    level: 'info',
    decisions: 'denials',
    fieldLength: 256,
    now: () => 1_700_000_000_000,
    output,
    ...options,
  })
  const entries = () => lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  return { log, lines, entries }
}

const denial: Decision = {
  id: '5f0c8e0e-7a2c-4a7e-9f86-2f4f4d3c2b1a',
  time: 1_700_000_000_000,
  line: 'inbound',
  decision: 'deny',
  peer: 'spiffe://shop.example/web',
  route: 'orders',
  code: 'policy.denied',
  rule: { file: 'policies/inbound.rego', row: 12 },
  revision: 'r1',
  mode: 'enforce',
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  durationMs: 1.25,
}

describe('a line', () => {
  it('is one JSON object with level, time and message', () => {
    const { log, lines, entries } = open()
    log.info('listening', { port: 15_006, peers: ['a', 'b'] })
    expect(lines).toHaveLength(1)
    expect(lines[0]!.endsWith('\n')).toBe(true)
    expect(entries()[0]).toEqual({
      level: 'info',
      time: '2023-11-14T22:13:20.000Z',
      message: 'listening',
      port: 15_006,
      peers: ['a', 'b'],
    })
  })

  it('cannot be split or steer a terminal, whatever a stranger sends', () => {
    const { log, lines, entries } = open()
    const nasty = 'a\r\n{"level":"error"}\u0000\u001b[31mred\u009b2J\u2028x\u202eevil'
    log.warn(nasty, { path: nasty, nested: { kid: nasty }, [nasty]: 1 })
    expect(lines).toHaveLength(1)
    expect(lines[0]!.slice(0, -1)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202e]/)
    const [entry] = entries()
    expect(entry!['path']).toBe(
      String.raw`a\u000d\u000a{"level":"error"}\u0000\u001b[31mred\u009b2J\u2028x\u202eevil`,
    )
  })

  it('cuts every field to the limit', () => {
    const { log, entries } = open({ fieldLength: 40 })
    log.info('m '.repeat(100), { path: '/a '.repeat(100), list: ['b '.repeat(100)] })
    const [entry] = entries()
    expect(entry!['message']).toHaveLength(41)
    expect(entry!['path']).toHaveLength(41)
    expect((entry!['list'] as string[])[0]).toHaveLength(41)
  })

  it('shows neither secrets nor fields that are named like one', () => {
    const { log, lines } = open()
    const token = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl'
    log.error(`failed with Bearer canary-${'x'.repeat(30)}`, {
      authorization: 'Basic canary0001',
      headers: { cookie: 'sid=canary0002', 'x-api-key': 'canary0003' },
      accessToken: 'canary0004',
      secret: new Secret('canary0005'),
      error: new Error(`connect to https://user:canary0006@host failed: ${token}`, {
        cause: new Error('password=canary0007'),
      }),
      body: Buffer.from('canary0008'),
      deep: { a: { b: { c: { d: 'canary0009 password=canary0010' } } } },
      note: 'api_key: canary0011',
    })
    expect(lines.join('')).not.toMatch(/canary00(0[1-8]|1[01])/)
    expect(lines.join('')).not.toContain('canary-x')
    expect(lines.join('')).not.toContain(token.slice(10, 30))
  })

  it('is written only from its level on, which can change', () => {
    const { log, lines } = open({ level: 'warn' })
    log.info('quiet')
    log.level = 'debug'
    log.debug('loud')
    expect(lines).toHaveLength(1)
    expect(log.level).toBe('debug')
  })

  it('carries the fields of its parent', () => {
    const { log, entries } = open()
    log.with({ listener: 'peer', token: 'canary' }).info('hello')
    expect(entries()[0]).toMatchObject({ listener: 'peer', token: '[redacted]', message: 'hello' })
  })
})

describe('decisions', () => {
  it('are written with trace, rule and code', () => {
    const { log, entries } = open()
    log.decision(denial)
    expect(entries()[0]).toMatchObject({
      level: 'warn',
      message: 'decision',
      decision: 'deny',
      decision_id: denial.id,
      line: 'inbound',
      trace_id: denial.traceId,
      span_id: denial.spanId,
      code: 'policy.denied',
      rule: { file: 'policies/inbound.rego', row: 12 },
      revision: 'r1',
      mode: 'enforce',
    })
  })

  it.each([
    ['none', 0],
    ['denials', 2],
    ['all', 3],
  ] as const)('%s writes %i of an allow, a deny and a would-deny', (decisions, count) => {
    const { log, lines } = open({ decisions })
    log.decision(denial)
    log.decision({ ...denial, decision: 'allow' })
    log.decision({ ...denial, decision: 'would-deny', mode: 'shadow' })
    expect(lines).toHaveLength(count)
  })
})

describe('an output that does not keep up', () => {
  it('costs lines, which are counted, and never blocks', async () => {
    const pending: (() => void)[] = []
    const output = new Writable({
      highWaterMark: 1,
      write(_, __, done) {
        pending.push(done)
      },
    })
    const { log } = open({ output, bufferBytes: 2_000 })
    for (let index = 0; index < 100; index += 1) log.info('a line of some length', { index })
    expect(log.dropped).toBeGreaterThan(70)
    expect(log.dropped).toBeLessThan(100)
    const lost = log.dropped
    while (pending.length > 0) {
      pending.shift()!()
      await new Promise((resolve) => setImmediate(resolve))
    }
    log.info('again')
    expect(log.dropped).toBe(lost)
  })

  it('counts lines that fail to be written, and goes on', async () => {
    const output = new Writable({
      write(_, __, done) {
        done(Object.assign(new Error('no space left on device'), { code: 'ENOSPC' }))
      },
    })
    const { log } = open({ output })
    log.info('one')
    await new Promise((resolve) => setImmediate(resolve))
    log.info('two')
    expect(log.dropped).toBe(2)
    await log.flush()
  })
})
