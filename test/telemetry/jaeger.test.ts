/**
 * Sends spans to a real Jaeger and reads them back through its stable API. Runs only with JAEGER_URL, the base of the
 * query service such as http://127.0.0.1:16686; JAEGER_OTLP_URL and JAEGER_OTLP_GRPC_URL name the collector when it is
 * not on the usual ports of the same host.
 */
import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { attribute, event } from '../../src/telemetry/names.ts'
import { openTestTraces } from './open-traces.ts'

const base = process.env['JAEGER_URL']
const onPort = (port: number): string => {
  const url = new URL(base ?? 'http://127.0.0.1')
  url.port = String(port)
  return url.origin
}
const collectors = {
  'http/protobuf': process.env['JAEGER_OTLP_URL'] ?? onPort(4318),
  grpc: process.env['JAEGER_OTLP_GRPC_URL'] ?? onPort(4317),
} as const

interface JaegerSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: number
  readonly status?: { readonly code?: number }
  readonly attributes: readonly {
    readonly key: string
    readonly value: Readonly<Record<string, unknown>>
  }[]
  readonly events?: readonly { readonly name: string }[]
}

interface JaegerTraces {
  readonly result?: {
    readonly resourceSpans?: readonly {
      readonly resource: { readonly attributes: JaegerSpan['attributes'] }
      readonly scopeSpans: readonly {
        readonly scope: { readonly name: string }
        readonly spans: readonly JaegerSpan[]
      }[]
    }[]
  }
}

const get = async (path: string): Promise<unknown> => {
  const response = await fetch(`${base}${path}`)
  return response.ok ? response.json() : undefined
}

/** Asks until the answer has what is looked for; Jaeger stores what it takes a moment later. */
const eventually = async <T>(ask: () => Promise<T | undefined>): Promise<T> => {
  for (;;) {
    const answer = await ask()
    if (answer !== undefined) return answer
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

const plain = (attributes: JaegerSpan['attributes'] = []): Record<string, unknown> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]))

const spansOf = (traces: JaegerTraces | undefined) =>
  (traces?.result?.resourceSpans ?? []).flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ scope, spans }) =>
      spans.map((span) => ({
        ...span,
        scope: scope.name,
        resource: plain(resource.attributes),
        values: plain(span.attributes),
      })),
    ),
  )

describe.skipIf(base === undefined).each(['http/protobuf', 'grpc'] as const)(
  'Jaeger over %s',
  (protocol) => {
    it('shows the hop and the third-party call below it, found by service and by attribute', async () => {
      const service = `orders-${randomUUID().slice(0, 8)}`
      const traces = openTestTraces({
        section: { endpoint: collectors[protocol], protocol },
        environment: { OTEL_SERVICE_NAME: service },
        options: { virtualPeers: 'emit' },
      })
      const hop = traces.start({
        name: 'GET /orders/{id}',
        kind: 'server',
        parent: undefined,
        always: 'follow-parent',
      })
      const call = traces.start({
        name: 'POST /v1/charges',
        kind: 'client',
        parent: hop.context,
        always: 'sampled-always',
        attributes: {
          [attribute.peerService]: 'stripe',
          [attribute.servicePeerName]: 'stripe',
          [attribute.servicePeerNamespace]: 'third-party',
          [attribute.decision]: 'deny',
          [attribute.decisionId]: randomUUID(),
          [attribute.owner]: 'payments',
          [attribute.dataClass]: ['pci'],
          [attribute.credentialAge]: 41,
        },
      })
      call.event(event.refused, { [attribute.code]: 'policy.denied' })
      call.end({ status: 'error', errorType: 'policy_denied' })
      hop.end({ status: 'unset' })
      await traces.shutdown(10_000)
      expect(traces.counts()).toMatchObject({ exported: 2, failed: 0, dropped: 0 })

      const services = await eventually(async () => {
        const answer = (await get('/api/v3/services')) as { services?: string[] } | undefined
        return answer?.services?.includes(service) === true ? answer.services : undefined
      })
      expect(services).toContain(service)

      const minute = 60_000
      const [earliest, latest] = [-minute, minute].map((offset) =>
        new Date(Date.now() + offset).toISOString(),
      )
      const attributes = JSON.stringify({ 'sallyport.decision': 'deny' })
      // Older releases know the parameters by their names in the protocol definition.
      const query = new URLSearchParams({
        'query.serviceName': service,
        'query.service_name': service,
        'query.startTimeMin': earliest!,
        'query.start_time_min': earliest!,
        'query.startTimeMax': latest!,
        'query.start_time_max': latest!,
        'query.searchDepth': '20',
        'query.num_traces': '20',
        'query.attributes': attributes,
      })
      const spans = await eventually(async () => {
        const found = spansOf(
          (await get(`/api/v3/traces?${query.toString()}`)) as JaegerTraces | undefined,
        )
        return found.length === 3 ? found : undefined
      })
      const shownHop = spans.find(
        ({ name, resource }) => name === 'GET /orders/{id}' && resource['service.name'] === service,
      )
      const shownCall = spans.find(
        ({ resource, kind }) => kind === 3 && resource['service.name'] === service,
      )
      const twin = spans.find(({ resource }) => resource['service.name'] === 'ext:stripe')
      expect(shownHop).toMatchObject({ kind: 2, spanId: hop.context.spanId, scope: 'sallyport' })
      expect(shownCall).toMatchObject({
        name: 'POST /v1/charges',
        traceId: hop.context.traceId,
        parentSpanId: hop.context.spanId,
        status: { code: 2 },
        events: [{ name: 'sallyport.refused' }],
      })
      expect(shownCall!.values).toMatchObject({
        'peer.service': 'stripe',
        'service.peer.name': 'stripe',
        'error.type': 'policy_denied',
        'sallyport.catalog.owner': 'payments',
        'sallyport.credential.age_days': '41',
      })
      expect(shownCall!.resource).toMatchObject({ 'telemetry.distro.name': 'sallyport' })
      expect(twin).toMatchObject({ kind: 2, parentSpanId: call.context.spanId })

      const operations = (await get(`/api/v3/operations?service=${service}`)) as {
        operations: { name: string }[]
      }
      expect(operations.operations.map(({ name }) => name).sort()).toEqual([
        'GET /orders/{id}',
        'POST /v1/charges',
      ])
    })
  },
)
