import { describe, expect, it } from 'vitest'
import type { Channel, Exchange, Reply } from '../../src/exchange/exchange.ts'
import { line, type Forward, type Stage } from '../../src/exchange/line.ts'
import type { Outcome } from '../../src/exchange/outcome.ts'
import { Refusal, UpstreamFault } from '../../src/exchange/refusal.ts'

interface Permit {
  readonly permit: { readonly by: string }
}

const channel = (): Channel & { readonly sent: Reply[]; aborted: boolean } => {
  const sent: Reply[] = []
  return {
    audience: 'peer',
    protocol: 'http',
    responseStarted: false,
    sent,
    aborted: false,
    send: (reply) => sent.push(reply),
    abort() {
      this.aborted = true
    },
  }
}

const exchange = (
  way = channel(),
): Exchange & { readonly channel: ReturnType<typeof channel> } => ({
  id: '6f0f4b1e-0000-4000-8000-000000000001',
  direction: 'inbound',
  startedAt: 0,
  channel: way,
})

const permitting: Stage<object, Permit> = {
  name: 'authorize',
  permits: true,
  run: () => ({ permit: { by: 'test' } }),
}

const delivering: Forward<Permit> = {
  name: 'forward',
  run: (_, done) => done({ status: 200, requestBytes: 1, responseBytes: 2 }),
}

const options = { now: () => 7, onBug: () => undefined }

describe('a line', () => {
  it('runs its stages in order and tells each observer the outcome once', () => {
    const order: string[] = []
    const outcomes: Outcome[] = []
    const handle = line<object>('inbound', options)
      .step({ name: 'one', run: () => (order.push('one'), { one: 1 }) })
      .step({ name: 'two', run: (x) => (order.push(`two after ${x.one}`), { two: 2 }) })
      .step(permitting)
      .observe((_, outcome) => outcomes.push(outcome))
      .forward(delivering)
    handle(exchange())
    expect(order).toEqual(['one', 'two after 1'])
    expect(outcomes).toEqual([
      {
        decision: 'allow',
        refusal: undefined,
        stage: 'forward',
        status: 200,
        requestBytes: 1,
        responseBytes: 2,
        endedAt: 7,
      },
    ])
  })

  it('answers a refusal once and runs nothing after it', () => {
    const x = exchange()
    const outcomes: Outcome[] = []
    line<object>('inbound', options)
      .step({
        name: 'refusing',
        run: (): object => {
          throw new Refusal('route.unknown', { detail: 'no route matches GET /nowhere' })
        },
      })
      .step(permitting)
      .observe((_, outcome) => outcomes.push(outcome))
      .forward({ name: 'forward', run: () => expect.unreachable() })(x)
    expect(x.channel.sent).toHaveLength(1)
    expect(JSON.parse(x.channel.sent[0]!.body)).toMatchObject({
      code: 'route.unknown',
      status: 404,
      id: x.id,
    })
    expect(outcomes.map((outcome) => [outcome.decision, outcome.stage])).toEqual([
      ['deny', 'refusing'],
    ])
  })

  it('answers a thrown defect as sidecar.bug without saying what it was', () => {
    const x = exchange()
    const bugs: unknown[] = []
    line<object>('inbound', { now: () => 0, onBug: (_, bug) => bugs.push(bug.cause) })
      .step({
        name: 'broken',
        run: (): object => {
          throw new TypeError('secret detail')
        },
      })
      .step(permitting)
      .forward(delivering)(x)
    expect(x.channel.sent[0]!.status).toBe(500)
    expect(x.channel.sent[0]!.body).not.toContain('secret detail')
    expect(bugs).toEqual([new TypeError('secret detail')])
  })

  it('waits for a stage that answers later, and refuses when that stage fails', async () => {
    const answered = exchange()
    const refused = exchange()
    const build = (later: () => Promise<object>) =>
      line<object>('inbound', options).step({ name: 'later', run: later }).step(permitting)
    const delivered: string[] = []
    build(async () => ({ late: true }))
      .observe((_, outcome) => delivered.push(outcome.decision))
      .forward(delivering)(answered)
    build(async () => {
      throw new Refusal('token.keys-unavailable')
    }).forward(delivering)(refused)
    await new Promise((resolve) => setImmediate(resolve))
    expect(delivered).toEqual(['allow'])
    expect(refused.channel.sent[0]!.status).toBe(503)
  })

  it('aborts instead of answering when the response has begun', () => {
    const x = exchange({ ...channel(), responseStarted: true })
    line<object>('inbound', options)
      .step(permitting)
      .forward({
        name: 'forward',
        run: (_, done) =>
          done({ status: 200, requestBytes: 0, responseBytes: 5 }, new UpstreamFault('app.reset')),
      })(x)
    expect(x.channel.sent).toEqual([])
    expect(x.channel.aborted).toBe(true)
  })

  it('refuses at start to be a line without exactly one stage that makes a permit', () => {
    const without = line<Permit>('egress', options)
    expect(() => without.forward(delivering)).toThrow('0 stages that make a permit')
  })

  it('does not compile without a permit, nor with a stage before the facts that it needs', () => {
    const needsPeer: Stage<{ readonly peer: string }, object> = { name: 'needs', run: () => ({}) }
    const bare = line<object>('inbound', options)
    // @ts-expect-error the fact peer is missing
    bare.step(needsPeer)
    // @ts-expect-error nothing has made a permit
    expect(() => bare.forward(delivering)).toThrow()
  })

  it('tells a stranger the code and the id only, and a peer what to do', () => {
    const refusing = line<object>('inbound', options)
      .step({
        name: 'refusing',
        run: (): object => {
          throw new Refusal('policy.denied', { detail: 'rule at orders.rego:4' })
        },
      })
      .step(permitting)
      .forward(delivering)
    const stranger = exchange({ ...channel(), audience: 'stranger' })
    const peer = exchange()
    refusing(stranger)
    refusing(peer)
    expect(Object.keys(JSON.parse(stranger.channel.sent[0]!.body))).toEqual([
      'type',
      'title',
      'status',
      'code',
      'id',
      'instance',
    ])
    expect(JSON.parse(peer.channel.sent[0]!.body)).toMatchObject({
      detail: 'rule at orders.rego:4',
    })
  })
})
