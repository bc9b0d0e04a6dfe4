import { Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { learnFrom } from '../../src/compose/egress/learn-calls.ts'
import { openLearned } from '../../src/compose/egress/learned.ts'
import { apisSection } from '../../src/catalog/section.ts'
import { openLog } from '../../src/telemetry/log.ts'
import { HeaderList } from '../../src/wire/headers.ts'

const log = openLog({
  level: 'error',
  decisions: 'none',
  fieldLength: 1_000,
  now: () => 0,
  output: new Writable({ write: (_, __, done) => done() }),
})

const learned = () => openLearned(apisSection.parse({}), log)

const exchange = (more: object) =>
  ({
    id: '1',
    direction: 'egress',
    startedAt: 0,
    request: {
      head: { method: 'GET', headers: HeaderList.from({ 'content-type': 'application/json' }) },
    },
    target: { path: '/v1/users/12345', query: 'token=secret', host: 'api.new.test', port: 443 },
    api: { entry: undefined, host: 'api.new.test', port: 443 },
    seen: Buffer.from('{"name":"ada"}'),
    recognised: ['personal'],
    answer: { contentType: 'application/json', body: Buffer.from('{"id":7}') },
    ...more,
  }) as never

const outcome = (decision: 'allow' | 'deny' | 'fault') => ({
  decision,
  status: decision === 'deny' ? 403 : 200,
  requestBytes: 0,
  responseBytes: 0,
  refusal: undefined,
  stage: 'forward-to-api',
  endedAt: 5,
})

describe('what is learned of undeclared calls', () => {
  it('is the host, the template, the caller and the shapes, and no value', () => {
    const memory = learned()
    learnFrom(memory, () => 'spiffe://test.mesh/app')(exchange({}), outcome('allow'))
    const [host] = memory.discovery.learned()
    expect(host).toMatchObject({ host: 'api.new.test', port: 443 })
    expect(Object.keys(host!.callers)).toEqual(['spiffe://test.mesh/app'])
    expect(Object.keys(host!.data)).toEqual(['personal'])
    expect(host!.operations[0]!.value.response).toBeDefined()
    const text = JSON.stringify(memory.discovery.saved())
    expect(text).not.toContain('secret')
    expect(text).not.toContain('ada')
    memory.close()
  })

  it('is nothing of a call that was refused or that an entry declares', () => {
    const memory = learned()
    const learn = learnFrom(memory, () => 'spiffe://test.mesh/app')
    learn(exchange({}), outcome('deny'))
    learn(exchange({ api: { entry: { name: 'cards' } } }), outcome('allow'))
    expect(memory.discovery.learned()).toEqual([])
    expect(memory.usage.rows().map(({ api, refused }) => [api, refused])).toEqual([
      ['undeclared', 1],
      ['cards', 0],
    ])
    memory.close()
  })
})
