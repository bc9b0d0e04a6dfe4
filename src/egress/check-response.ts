/**
 * Distrusts what a third party answers, before anything of it reaches the application: headers, redirects, type and
 * size always; the body where its JSON, its contract or its text fields are to be looked at. A good answer leaves as the
 * very bytes that came, and streams when nothing asks to see it.
 */
import type { Exchange } from '../exchange/exchange.ts'
import { Bug, UpstreamFault } from '../exchange/refusal.ts'
import {
  headersOfOriginalBody,
  type BodyVerdict,
  type Finding,
} from '../catalog/distrust/finding.ts'
import {
  judgeResponseBody,
  planResponse,
  sniffMismatch,
  tooLarge,
  type AnsweredCall,
} from '../catalog/distrust/inspect-response.ts'
import type { ApiEntry } from '../catalog/entry/entry.ts'
import type { Traced } from '../stages/continue-trace.ts'
import type { AnswerDecision } from '../stages/relay.ts'
import { isForged } from '../stages/strip-headers.ts'
import { wireFault } from '../stages/wire-fault.ts'
import { attribute, event } from '../telemetry/names.ts'
import { collectBody, type BodySource } from '../wire/body.ts'
import type { ResponseHead, ServerRequest } from '../wire/message.ts'
import { WireError } from '../wire/wire-error.ts'
import { watchedBody } from './body/peek-body.ts'
import type { RequestChecked } from './check-request.ts'
import type { ApiMatched } from './match-api.ts'

type Needs = Exchange & { readonly request: ServerRequest } & ApiMatched & Traced & RequestChecked

/** Judges one answer; calls exactly one method of `decision`, once. */
export type CheckResponse = (
  x: Needs,
  head: ResponseHead,
  body: BodySource,
  decision: AnswerDecision,
) => void

/** What the check is built from. */
export interface ResponseParts {
  /** Told of an answer that breaks its contract. */
  readonly onViolation: (api: string, mode: 'observe' | 'enforce' | 'strip') => void
}

/** Headers of an answer that mean something between the vendor and us, and nothing to the app. */
const vendorOnly = new Set(['traceresponse', 'traceparent', 'tracestate', 'baggage', 'alt-svc'])

/** The check. */
export const checkResponse =
  (parts: ResponseParts): CheckResponse =>
  (x, head, body, decision) => {
    const { entry, operation, authority } = x.api
    const pass: AnswerDecision['pass'] = (passed, content) => {
      passed.headers.deleteWhere((name) => isForged(name) || vendorOnly.has(name))
      decision.pass(passed, content)
    }
    if (entry === undefined) return pass(head, noted(x, head, body))
    const scheme = entry.unsafe_plaintext === true ? 'http' : 'https'
    const call: AnsweredCall = {
      entry,
      operation,
      method: x.request.head.method,
      url: `${scheme}://${authority}${x.target.path}`,
    }
    const seen = { status: head.status, headers: [...head.headers] }
    if ((body.length ?? 0) > entry.distrust.response_size) {
      return decision.refuse(faultOf(tooLarge(entry)))
    }
    const plan = planResponse(call, seen)
    if (plan.decision === 'refuse') return decision.refuse(faultOf(plan.finding))
    tellObserved(x, parts, entry, plan.observed)
    if (plan.decision === 'stream') return pass(head, sniffed(call, seen, body))
    collectBody(body, plan.limit, (error, bytes) => {
      if (error !== undefined) {
        return decision.refuse(
          error.code === 'too-large' ? faultOf(tooLarge(entry)) : wireFault('api', error),
        )
      }
      judgeResponseBody(call, seen, bytes).then(
        (verdict) => settle(x, parts, entry, head, verdict, { ...decision, pass }),
        (thrown: unknown) => decision.refuse(new Bug(thrown)),
      )
    })
  }

const settle = (
  x: Needs,
  parts: ResponseParts,
  entry: ApiEntry,
  head: ResponseHead,
  verdict: BodyVerdict,
  decision: AnswerDecision,
): void => {
  tellObserved(x, parts, entry, verdict.observed)
  if (verdict.decision === 'refuse') {
    if (verdict.finding.code === 'api.response-contract') {
      x.span.set(attribute.responseSchemaValid, false)
      parts.onViolation(entry.name, entry.validation.response === 'strip' ? 'strip' : 'enforce')
    }
    return decision.refuse(faultOf(verdict.finding))
  }
  x.span.set(attribute.responseSchemaValid, verdict.schemaValid)
  if (verdict.rewritten === 'yes') {
    for (const name of headersOfOriginalBody) head.headers.delete(name)
    x.span.set(attribute.responseRedactions, verdict.redactions)
    x.span.event(event.redaction, {
      [attribute.redactionCount]: verdict.redactions,
      [attribute.redactionPlace]: 'response',
    })
  }
  decision.pass(head, verdict.body)
}

const tellObserved = (
  { span }: Needs,
  parts: ResponseParts,
  entry: ApiEntry,
  findings: readonly Finding[],
): void => {
  for (const { code } of findings) {
    if (code === 'api.response-contract') parts.onViolation(entry.name, 'observe')
    span.event(event.wouldRefuse, { [attribute.code]: code })
  }
}

/** Most of an undeclared answer that is looked at for its shape. */
const mostNoted = 64 * 1024

/** Streams on, and notes of an undeclared call what an entry would have to say of its answer. */
const noted = (
  { answer, target, api }: Needs,
  head: ResponseHead,
  body: BodySource,
): BodySource => {
  const location = head.headers.get('location')
  const base = `https://${api.authority}${target.path}`
  if (location !== undefined && head.status >= 300 && head.status < 400) {
    const url = URL.parse(location, base)
    if (url !== null) answer.redirect = `${url.hostname}:${url.port === '' ? 443 : url.port}`
  }
  answer.contentType = head.headers.get('content-type')
  return watchedBody(body, mostNoted, (bytes) => {
    answer.body = bytes
  })
}

/** Streams on, and breaks off when the first bytes are HTML although the type says otherwise. */
const sniffed = (
  call: AnsweredCall,
  head: { readonly status: number; readonly headers: readonly (readonly [string, string])[] },
  body: BodySource,
): BodySource => {
  if (body.length === 0 || call.method === 'HEAD') return body
  let first = true
  return {
    length: body.length,
    start: (sink) =>
      body.start({
        data: (chunk) => {
          if (!first) return sink.data(chunk)
          first = false
          const finding = sniffMismatch(head, chunk)
          if (finding === undefined) return sink.data(chunk)
          const error = new WireError('bad-upstream-response', finding.detail)
          body.cancel(error)
          sink.fail(error)
          return false
        },
        end: (trailers) => sink.end(trailers),
        fail: (error) => sink.fail(error),
      }),
    pause: () => body.pause(),
    resume: () => body.resume(),
    cancel: (reason) => body.cancel(reason),
  }
}

const faultOf = ({ code, detail, hint }: Finding): UpstreamFault =>
  new UpstreamFault(code, { detail, hint })
