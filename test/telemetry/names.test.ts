import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import {
  attribute,
  errorTypes,
  event,
  metric,
  resourceAttribute,
} from '../../src/telemetry/names.ts'

describe('names', () => {
  it.each([
    ['attributes', Object.values(attribute)],
    ['resource attributes', Object.values(resourceAttribute)],
    ['events', Object.values(event)],
    ['metrics', Object.values(metric)],
    ['error types', errorTypes],
  ] as const)('of %s stand once each and are well formed', (_, names: readonly string[]) => {
    expect(new Set(names).size).toBe(names.length)
    for (const name of names) expect(name).toMatch(/^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$/)
  })

  it('of the contract of a third-party call are all there', () => {
    const names: readonly string[] = Object.values(attribute)
    for (const name of [
      'http.request.method',
      'http.response.status_code',
      'http.request.resend_count',
      'server.address',
      'server.port',
      'url.full',
      'url.scheme',
      'url.template',
      'network.peer.address',
      'network.peer.port',
      'network.protocol.version',
      'peer.service',
      'service.peer.name',
      'service.peer.namespace',
      'tls.protocol.version',
      'tls.cipher',
      'tls.next_protocol',
      'tls.established',
      'tls.resumed',
      'tls.server.subject',
      'tls.server.issuer',
      'tls.server.not_after',
      'tls.server.hash.sha256',
      'error.type',
      'security_rule.name',
      'security_rule.ruleset.name',
      'security_rule.version',
      'sallyport.decision',
      'sallyport.decision_id',
      'sallyport.catalog.owner',
      'sallyport.catalog.purpose',
      'sallyport.catalog.data_class',
      'sallyport.catalog.lifecycle',
      'sallyport.credential.id',
      'sallyport.credential.age_days',
      'sallyport.credential.rotated_at',
      'sallyport.request.bytes',
      'sallyport.response.bytes',
      'sallyport.response.schema.valid',
      'sallyport.response.redactions',
      'sallyport.hop.caller',
      'sallyport.policy.us',
      'sallyport.queue.us',
      'sallyport.vendor.request_id',
    ]) {
      expect(names).toContain(name)
    }
  })
})

describe('the link patterns for the page of Jaeger', () => {
  it('start from attributes that are written', () => {
    const file = new URL('../../deploy/jaeger-ui.json', import.meta.url)
    const { linkPatterns } = JSON.parse(readFileSync(file, 'utf8')) as {
      linkPatterns: readonly {
        readonly type: string
        readonly key?: string
        readonly url: string
        readonly text: string
      }[]
    }
    const names: readonly string[] = Object.values(attribute)
    expect(linkPatterns.length).toBeGreaterThan(2)
    for (const { type, key, url, text } of linkPatterns) {
      const used = [...`${url} ${text}`.matchAll(/#\{([^}]+)\}/g)].map((match) => match[1]!)
      if (type === 'traces') expect(used).toEqual(['traceID'])
      else for (const name of [key!, ...used]) expect(names).toContain(name)
      expect(URL.canParse(url)).toBe(true)
    }
  })
})
