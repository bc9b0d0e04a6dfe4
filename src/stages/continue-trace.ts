/**
 * Starts the span of an exchange, as a continuation of the trace that an authenticated caller sent.
 *
 * First on every line, so that a refusal by any later stage is on a span too. The span is named when the route is
 * known and ended by the observer of the outcome.
 */
import type { Exchange } from '../exchange/exchange.ts'
import type { Stage } from '../exchange/line.ts'
import { meshTraceHeaders, readTrace, type PropagationRules } from '../telemetry/traces/boundary.ts'
import {
  methodValue,
  spanName,
  type Attributes,
  type Span,
  type Traces,
} from '../telemetry/traces/span.ts'
import { attribute } from '../telemetry/names.ts'
import type { HeaderList } from '../wire/headers.ts'
import type { ServerRequest } from '../wire/message.ts'

/** The facts that this stage learns. */
export interface Traced {
  readonly span: Span
  /** The baggage that may travel on inside the mesh, or ''. */
  readonly baggage: string
}

/** The stage. */
export const continueTrace = <Needs extends { readonly request: ServerRequest }>(parts: {
  readonly traces: Traces
  readonly rules: PropagationRules
  readonly kind: 'server' | 'client'
  readonly always: 'sampled-always' | 'follow-parent'
}): Stage<Needs, Traced> => ({
  name: 'continue-trace',
  run: (x) => {
    const { head, connection } = x.request
    const origin = x.channel.audience === 'stranger' ? 'edge' : 'mesh'
    const incoming = readTrace(head.headers, origin, parts.rules)
    const span = parts.traces.start({
      name: spanName(head.method, undefined),
      kind: parts.kind,
      parent: incoming.parent,
      always: parts.always,
      ...(incoming.link === undefined ? {} : { link: { context: incoming.link } }),
    })
    if (span.recording) span.setAll(firstAttributes(x, connection.remoteAddress))
    return { span, baggage: incoming.baggage }
  },
})

const firstAttributes = (
  x: Exchange & { readonly request: ServerRequest },
  clientAddress: string,
): Attributes => {
  const { head } = x.request
  return {
    [attribute.httpMethod]: methodValue(head.method),
    [attribute.urlScheme]: head.target.scheme,
    [attribute.clientAddress]: clientAddress,
    [attribute.networkProtocolVersion]: head.version,
    [attribute.direction]: x.direction,
    [attribute.decisionId]: x.id,
  }
}

/** Writes the trace context of our span for the next mesh hop, in place of whatever was sent. */
export const writeTrace = (headers: HeaderList, traced: Traced): void => {
  headers.deleteWhere(
    (name) => name === 'traceparent' || name === 'tracestate' || name === 'baggage',
  )
  for (const [name, value] of meshTraceHeaders(traced.span.context, traced.baggage)) {
    headers.set(name, value)
  }
}
