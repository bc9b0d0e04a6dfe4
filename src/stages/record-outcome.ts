/**
 * What is left of an exchange when it is over: the end of its span, three metrics and one audit record.
 *
 * Each direction says which names belong to it; the rest is the same for all, so that a decision reads alike on the
 * span, in the audit file, in the log and on the admin page.
 */
import type { Exchange } from '../exchange/exchange.ts'
import type { Outcome } from '../exchange/outcome.ts'
import type { Audit } from '../telemetry/audit/audit.ts'
import type { Decision } from '../telemetry/audit/record.ts'
import { undeclaredAddress, type Metrics } from '../telemetry/metrics/instruments.ts'
import { attribute, event } from '../telemetry/names.ts'
import {
  methodValue,
  spanName,
  statusOf,
  type Attributes,
  type Span,
} from '../telemetry/traces/span.ts'
import type { ServerRequest } from '../wire/message.ts'
import type { Authorized } from './authorize.ts'
import type { Traced } from './continue-trace.ts'
import { errorTypeOf } from './error-type.ts'
import { grpcMethodOf, grpcStatusName, isGrpcCall, isGrpcError } from './grpc-call.ts'

/** Where outcomes go. */
export interface Recorders {
  readonly audit: Audit
  readonly metrics: Metrics
  /** Called with each decision; writes the log line where the configuration asks for one. */
  readonly logDecision: (decision: Decision) => void
}

/** What a direction adds to the record of one exchange. */
export interface OutcomeNames {
  readonly kind: 'server' | 'client'
  /** Route or path template for the name of the span, or undefined when it never became known. */
  readonly template: string | undefined
  /** Label of the duration metric: a route, a service or an API; never what the caller chose freely. */
  readonly label: string
  /** Host and port of a call, from the configuration or the catalog; absent for what no entry names. */
  readonly address?: string | undefined
  readonly port?: string | undefined
  readonly attributes: Attributes
  readonly record: Partial<Decision>
}

type Known = Partial<Traced & Authorized> & { readonly request?: ServerRequest }

/** Writes everything down. */
export const recordOutcome = (
  recorders: Recorders,
  x: Exchange & Known,
  outcome: Outcome,
  names: OutcomeNames,
): void => {
  const method = x.request?.head.method ?? 'GET'
  if (x.span !== undefined) endSpan(x.span, method, outcome, x, names)
  recordMetrics(recorders.metrics, method, x, outcome, names)
  const decision = decisionOf(x, method, outcome, names)
  const recorded = recorders.audit.record(decision)
  if (recorded !== 'skipped') recorders.metrics.auditRecords.with(recorded).add()
  recorders.logDecision(decision)
}

const endSpan = (
  span: Span,
  method: string,
  outcome: Outcome,
  x: Exchange & Known,
  names: OutcomeNames,
): void => {
  const { refusal, status } = outcome
  if (span.recording) {
    span.rename(spanName(method, names.template))
    span.setAll(names.attributes)
    span.setAll({
      [attribute.httpStatus]: status,
      [attribute.decision]: decisionWord(x, outcome),
      [attribute.stage]: outcome.stage,
      [attribute.ruleName]: x.policy?.rule,
      [attribute.ruleVersion]: x.policy?.revision,
      [attribute.ruleLocation]: locationText(x.policy?.location ?? ruleOf(outcome)),
      [attribute.mode]: x.policy?.mode,
      [attribute.code]: refusal?.code,
      [attribute.requestBytes]: outcome.requestBytes,
      [attribute.responseBytes]: outcome.responseBytes,
    })
    const rpc = rpcOf(x, outcome, names)
    if (rpc !== undefined) {
      span.rename(rpc.name)
      span.setAll(rpc.attributes)
    }
    if (refusal !== undefined) {
      span.event(event.refused, {
        [attribute.code]: refusal.code,
        [attribute.stage]: outcome.stage,
      })
    }
    if (x.policy?.wouldDeny !== undefined) {
      span.event(event.wouldRefuse, { [attribute.code]: x.policy.wouldDeny })
    }
  }
  const grpcStatus = grpcStatusIn(x, outcome)
  const grpcFailed = grpcStatus !== undefined && isGrpcError(names.kind, grpcStatus)
  const httpError = status !== undefined && statusOf(names.kind, status) === 'error'
  const failed = httpError || grpcFailed || (refusal !== undefined && names.kind === 'client')
  span.end({
    status: failed ? 'error' : 'unset',
    errorType:
      refusal !== undefined
        ? errorTypeOf(refusal.code)
        : grpcFailed
          ? `${grpcStatus}`
          : httpError
            ? `${status}`
            : undefined,
  })
}

/** The status that the gRPC caller was given: the callee's, or that of our refusal. */
const grpcStatusIn = (x: Exchange & Known, outcome: Outcome): number | undefined => {
  if (x.request === undefined || !isGrpcCall(x.request.head)) return undefined
  return outcome.refusal?.entry.grpc ?? outcome.grpcStatus
}

/**
 * What a span of a gRPC call carries besides (semantic conventions 1.45, "RPC"). A method counts as known when the
 * configuration spells it out; any other is `_OTHER`, because the caller chose its name.
 */
const rpcOf = (
  x: Exchange & Known,
  outcome: Outcome,
  names: OutcomeNames,
): { readonly name: string; readonly attributes: Attributes } | undefined => {
  if (x.request === undefined || !isGrpcCall(x.request.head)) return undefined
  const { path, segments } = x.request.head.target
  const method = grpcMethodOf(segments)
  const known = method !== undefined && names.template === path ? method : undefined
  const status = grpcStatusIn(x, outcome)
  return {
    name: known ?? 'grpc',
    attributes: {
      [attribute.rpcSystem]: 'grpc',
      [attribute.rpcMethod]: known ?? '_OTHER',
      [attribute.rpcMethodOriginal]: known === undefined ? (method ?? path) : undefined,
      [attribute.rpcStatus]: status === undefined ? undefined : grpcStatusName(status),
    },
  }
}

const recordMetrics = (
  metrics: Metrics,
  method: string,
  x: Exchange & Known,
  outcome: Outcome,
  names: OutcomeNames,
): void => {
  const seconds = (outcome.endedAt - x.startedAt) / 1_000
  const status = outcome.status === undefined ? '' : statusText(outcome.status)
  const failure = outcome.refusal === undefined ? '' : errorTypeOf(outcome.refusal.code)
  const verb = methodValue(method)
  if (names.kind === 'server') {
    metrics.serverDuration.with(verb, names.label, status, failure).record(seconds)
  } else {
    metrics.clientDuration
      .with(
        verb,
        names.address ?? undeclaredAddress,
        names.port ?? '',
        status,
        failure,
        names.label,
      )
      .record(seconds)
  }
  if (outcome.refusal !== undefined) metrics.refusals.with(x.direction, outcome.refusal.code).add()
  const word = decisionWord(x, outcome)
  if (x.policy !== undefined) metrics.policyDecisions.with(x.direction, word, x.policy.rule).add()
  else if (outcome.refusal?.code.startsWith('policy.')) {
    metrics.policyDecisions.with(x.direction, word, ruleOf(outcome)?.path ?? '').add()
  }
  if (x.direction === 'egress') {
    metrics.egressCalls.with(names.label, word, failure).add()
    metrics.egressBytes.with(names.label, 'sent').add(outcome.requestBytes)
    metrics.egressBytes.with(names.label, 'received').add(outcome.responseBytes)
  }
}

const statusTexts = new Map<number, string>()

const statusText = (status: number): string => {
  const known = statusTexts.get(status)
  if (known !== undefined) return known
  statusTexts.set(status, String(status))
  return String(status)
}

const decisionOf = (
  x: Exchange & Known,
  method: string,
  outcome: Outcome,
  names: OutcomeNames,
): Decision => {
  const rule = x.policy?.location ?? ruleOf(outcome)
  return {
    id: x.id,
    time: x.startedAt,
    line: x.direction,
    decision: decisionWord(x, outcome),
    method: methodValue(method),
    template: names.template,
    status: outcome.status,
    code: outcome.refusal?.code,
    stage: outcome.stage,
    rule:
      rule?.file === undefined
        ? undefined
        : { name: rule.path, file: rule.file, row: rule.row, column: rule.col },
    revision: x.policy?.revision,
    mode: x.policy?.mode ?? 'enforce',
    traceId: x.span?.context.traceId,
    spanId: x.span?.context.spanId,
    durationMs: outcome.endedAt - x.startedAt,
    ...names.record,
  }
}

const decisionWord = (x: Known, outcome: Outcome): 'allow' | 'deny' | 'would-deny' =>
  outcome.decision === 'deny' ? 'deny' : x.policy?.wouldDeny === undefined ? 'allow' : 'would-deny'

interface RuleAt {
  readonly path: string
  readonly file?: string
  readonly row: number
  readonly col: number
}

const ruleOf = (outcome: Outcome): RuleAt | undefined =>
  outcome.refusal?.more.members?.['rule'] as RuleAt | undefined

const locationText = (rule: RuleAt | undefined): string | undefined =>
  rule?.file === undefined ? undefined : `${rule.file}:${rule.row}:${rule.col}`
