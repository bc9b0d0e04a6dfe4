/**
 * Sends the call to the third party: to an address that was checked, over TLS that proves the declared host, from a
 * pool that is shared with no other API, identity or trust. Redirects are passed back and never followed.
 *
 * A failed attempt is repeated where the entry allows it and nothing can happen twice; a 401 is repeated once with
 * another key, when there is one. Each attempt asks the limits anew and is a span of its own.
 */
import type { Exchange } from '../exchange/exchange.ts'
import type { Forward, ForwardDone } from '../exchange/line.ts'
import { Bug, Refusal } from '../exchange/refusal.ts'
import type { ApiEntry } from '../catalog/entry/entry.ts'
import type { ApiLimits } from '../catalog/limits/api-limits.ts'
import { judgeOutcome, type CallOutcome } from '../catalog/limits/breaker.ts'
import { decideRetry, hasIdempotencyKey, type FailedAttempt } from '../catalog/limits/retry.ts'
import type { Permit } from '../stages/authorize.ts'
import type { Traced } from '../stages/continue-trace.ts'
import { errorTypeOf } from '../stages/error-type.ts'
import { wireFault } from '../stages/wire-fault.ts'
import { attribute, event } from '../telemetry/names.ts'
import { thirdPartyTrace, vendorRequestHeaders } from '../telemetry/traces/boundary.ts'
import type { Identifiers } from '../telemetry/traces/identifiers.ts'
import { spanName, type Attributes } from '../telemetry/traces/span.ts'
import type { BodySource } from '../wire/body.ts'
import type { ResponseHead, ServerRequest } from '../wire/message.ts'
import type { Origin, OutgoingCall } from '../wire/origin.ts'
import type { Pool } from '../wire/pool.ts'
import { WireError } from '../wire/wire-error.ts'
import { endAttempt } from './attempt/attempt-span.ts'
import type { CredentialAttached, Sealed } from './attach-credential.ts'
import type { CheckResponse } from './check-response.ts'
import type { RequestChecked } from './check-request.ts'
import type { Guarded } from './guard-address.ts'
import { placeOf, type Admitted, type Place } from './attempt/limit-call.ts'
import type { ApiCall, ApiMatched } from './match-api.ts'

/** A place that calls are sent to, and what is known of the connection to it. */
export interface ApiOrigin extends Origin {
  /** Facts of the last handshake, for the span; empty before one, and without TLS. */
  readonly handshake: () => Attributes
}

/** What the forwarder is built from. */
export interface ApiParts {
  readonly pool: Pool
  readonly originOf: (api: ApiCall, addresses: readonly string[]) => ApiOrigin
  readonly checkResponse: CheckResponse
  readonly limitsOf: (entry: ApiEntry) => ApiLimits
  readonly caller: () => string
  readonly identifiers: Identifiers
  /** Attributes that every attempt of an exchange carries. */
  readonly attributesOf: (x: Exchange & Needs) => Attributes
  readonly onRepeat: (entry: ApiEntry) => void
  /** Told, loudly, that a call was repeated because its key was refused. */
  readonly onKeyRefused: (entry: ApiEntry, detail: string) => void
  /** Milliseconds of the wheel's clock, for deadlines. */
  readonly monotonic: () => number
  readonly now: () => number
  /** A number in [0, 1). */
  readonly random: () => number
  readonly after: (task: () => void, ms: number) => () => void
}

type Needs = { readonly request: ServerRequest; readonly permit: Permit } & ApiMatched &
  Guarded &
  Admitted &
  RequestChecked &
  Traced &
  CredentialAttached

const undeclaredLimits = {
  first_byte_timeout: 15_000,
  total_timeout: 60_000,
  response_size: 10 * 1024 * 1024,
} as const

/** The last step of the egress line. */
export const forwardToApi = (parts: ApiParts): Forward<Needs> => ({
  name: 'forward-to-api',
  run: (x, done) => new Attempts(x, parts, done).begin(),
})

class Attempts {
  readonly #x: Exchange & Needs
  readonly #parts: ApiParts
  readonly #done: ForwardDone
  readonly #origin: ApiOrigin
  readonly #limits
  readonly #deadline: number
  #sealed: Sealed
  #place: Place | undefined
  #number = 1
  #triedOtherKey = false
  #call: OutgoingCall | undefined
  #stopTimer: (() => void) | undefined
  #finished = false

  constructor(x: Exchange & Needs, parts: ApiParts, done: ForwardDone) {
    this.#x = x
    this.#parts = parts
    this.#done = done
    this.#origin = parts.originOf(x.api, x.addresses)
    this.#limits = { ...undeclaredLimits, ...x.api.entry?.limits, ...x.api.entry?.distrust }
    this.#deadline = parts.monotonic() + this.#limits.total_timeout
    this.#sealed = x
    this.#place = x.place
  }

  begin(): void {
    const { entry } = this.#x.api
    if (entry !== undefined) this.#parts.limitsOf(entry).budget.call(this.#parts.now())
    this.#propagate()
    this.#x.request.whenGone((reason) => {
      this.#call?.cancel(reason)
      this.#stopTimer?.()
      this.#leave('ignored')
      this.#finish(undefined, 0, new Refusal('sidecar.cancelled'))
    })
    this.#send()
  }

  #propagate(): void {
    const { api, span, headers } = this.#x
    const how = api.entry?.propagation ?? 'strip'
    const trace = thirdPartyTrace(
      how === 'pass' ? 'unsafe-pass' : how,
      span.context,
      this.#parts.identifiers,
    )
    for (const [name, value] of trace.headers) {
      headers.set(name, value)
      if (this.#sealed.headers !== headers) this.#sealed.headers.set(name, value)
    }
    if (trace.link !== undefined) span.link(trace.link, { [attribute.linkReason]: 'restarted' })
  }

  #send(): void {
    const { request, api, body } = this.#x
    this.#call = this.#parts.pool.request(
      this.#origin,
      {
        method: request.head.method,
        target: this.#sealed.sentTarget.reveal(),
        authority: api.authority,
        headers: this.#sealed.headers,
      },
      body,
      {
        onHead: (head, answer) => this.#onHead(head, answer),
        onInterim: (status, headers) => request.inform(status, headers),
        onTakenOver: (_, socket) => {
          socket.destroy()
          this.#leave('ignored')
          this.#finish(undefined, 0, new Refusal('request.upgrade'))
        },
        onFault: (error) => this.#onFault(error),
      },
      {
        responseTimeoutMs: this.#limits.first_byte_timeout,
        deadline: this.#deadline,
        maxResponseBytes: this.#limits.response_size,
      },
    )
  }

  #onHead(head: ResponseHead, body: BodySource): void {
    if (this.#finished) return
    const { api } = this.#x
    const { entry } = api
    const repeat = (afterMs: number): void => {
      this.#call?.cancel(new WireError('cancelled', 'the attempt is repeated'))
      this.#leave(judgeOutcome({ status: head.status }))
      this.#endSpan(
        {
          ...vendorIdOf(head),
          [attribute.httpStatus]: head.status,
        },
        `${head.status}`,
      )
      this.#again(afterMs)
    }
    if (head.status === 401 && entry !== undefined && !this.#triedOtherKey) {
      this.#triedOtherKey = true
      const other = this.#x.otherKey()
      if (other instanceof Promise) {
        other.then(
          (found) => this.#tryKey(found, entry, head, body, repeat),
          () => this.#judge(head, body),
        )
        return
      }
      if (other !== undefined) return this.#tryKey(other, entry, head, body, repeat)
    }
    const decision = this.#decide({
      status: head.status,
      retryAfter: head.headers.get('retry-after'),
    })
    if (decision !== undefined) return repeat(decision)
    this.#judge(head, body)
  }

  #tryKey(
    other: Awaited<ReturnType<CredentialAttached['otherKey']>>,
    entry: ApiEntry,
    head: ResponseHead,
    body: BodySource,
    repeat: (afterMs: number) => void,
  ): void {
    if (this.#finished) return
    if (other === undefined) return this.#judge(head, body)
    const { span, replayable } = this.#x
    const detail =
      replayable === 'yes' ? other.detail : `${other.detail}; the body cannot be sent again`
    this.#parts.onKeyRefused(entry, detail)
    span.event(event.credentialFallback, { [attribute.httpStatus]: head.status })
    if (replayable === 'no') return this.#judge(head, body)
    this.#sealed = other
    repeat(0)
  }

  #onFault(error: WireError): void {
    if (this.#finished) return
    const refusal = wireFault('api', error)
    const fault = faultWord(error)
    const nothingSent = error.retry === 'safe' && !final.has(error.code)
    const afterMs = final.has(error.code)
      ? undefined
      : error.retry === 'idempotent' && this.#number === 1 && this.#idempotent === 'yes'
        ? 0
        : this.#decide({
            fault: nothingSent ? 'not-connected' : fault === 'timeout' ? 'timeout' : 'broken',
          })
    this.#leave(judgeOutcome({ fault }))
    if (afterMs === undefined) return this.#finish(undefined, 0, refusal)
    this.#endSpan({ [attribute.code]: refusal.code }, errorTypeOf(refusal.code))
    this.#again(afterMs)
  }

  get #idempotent(): 'yes' | 'no' {
    const { api, request } = this.#x
    return api.operation?.idempotent === true || hasIdempotencyKey([...request.head.headers])
      ? 'yes'
      : 'no'
  }

  /** Milliseconds until the next attempt, or undefined when there is none. */
  #decide(result: FailedAttempt['result']): number | undefined {
    const { entry } = this.#x.api
    if (entry === undefined) return undefined
    if ('status' in result && !entry.limits.retry.statuses.includes(result.status)) return undefined
    const now = this.#parts.now()
    const decision = decideRetry(
      entry.limits.retry,
      {
        number: this.#number,
        result,
        idempotent: this.#idempotent,
        replayable: this.#x.replayable,
        deadline: now + (this.#deadline - this.#parts.monotonic()),
      },
      this.#parts.limitsOf(entry).budget,
      now,
      this.#parts.random,
    )
    return decision.decision === 'retry' ? decision.afterMs : undefined
  }

  #endSpan(attributes: Attributes, errorType: ReturnType<typeof errorTypeOf>): void {
    const { span, api, request } = this.#x
    span.rename(spanName(request.head.method, api.operation?.template))
    endAttempt(
      span,
      {
        ...this.#parts.attributesOf(this.#x),
        ...this.#origin.handshake(),
        [attribute.decision]: 'allow',
        [attribute.stage]: 'forward-to-api',
        ...attributes,
      },
      { status: 'error', errorType },
    )
  }

  #again(afterMs: number): void {
    const entry = this.#x.api.entry!
    this.#parts.onRepeat(entry)
    this.#x.span.event(event.retry, {
      [attribute.retryAttempt]: this.#number,
      [attribute.retryDelay]: afterMs,
    })
    this.#number += 1
    this.#stopTimer = this.#parts.after(() => {
      const { operation } = this.#x.api
      const admission = this.#parts.limitsOf(entry).enter(this.#parts.caller(), operation?.id)
      const go = (answer: Awaited<typeof admission>): void => {
        if (answer.kind === 'admitted' && this.#finished) return answer.leave('ignored')
        if (this.#finished) return
        try {
          this.#place = placeOf(answer)
          this.#send()
        } catch (thrown) {
          this.#finish(undefined, 0, thrown instanceof Refusal ? thrown : new Bug(thrown))
        }
      }
      if (admission instanceof Promise) void admission.then(go)
      else go(admission)
    }, afterMs)
  }

  /** Lets the answer be checked, and passes it on. */
  #judge(head: ResponseHead, body: BodySource): void {
    const { request, span, permit } = this.#x
    span.setAll(vendorIdOf(head))
    span.setAll(this.#origin.handshake())
    const refuse = (refusal: Refusal): void => {
      this.#call?.cancel(new WireError('cancelled', 'the answer was refused'))
      this.#leave(judgeOutcome({ status: head.status }))
      this.#finish(undefined, 0, refusal)
    }
    try {
      this.#parts.checkResponse(this.#x, head, body, {
        refuse,
        pass: (passed, content) => {
          if (this.#finished) return
          for (const [name, value] of permit.changes.responseHeaders) {
            passed.headers.add(name, value)
          }
          request.respond(passed, content, (outcome) => {
            this.#leave(judgeOutcome({ status: head.status }))
            const failure =
              outcome.error === undefined
                ? undefined
                : outcome.error.code === 'client-gone' || outcome.error.code === 'client-stalled'
                  ? new Refusal('sidecar.cancelled')
                  : wireFault('api', outcome.error)
            this.#finish(outcome.status, outcome.bytes, failure)
          })
        },
      })
    } catch (thrown) {
      refuse(thrown instanceof Refusal ? thrown : new Bug(thrown))
    }
  }

  #leave(outcome: CallOutcome): void {
    this.#place?.leave(outcome)
    this.#place = undefined
  }

  #finish(status: number | undefined, responseBytes: number, failure?: Refusal): void {
    if (this.#finished) return
    this.#finished = true
    this.#done({ status, requestBytes: this.#x.request.bytesReceived, responseBytes }, failure)
  }
}

/** Faults that another attempt would only meet again, or that are ours. */
const final = new Set<WireError['code']>([
  'tls-failed',
  'identity-mismatch',
  'address-denied',
  'too-large',
  'response-too-large',
  'deadline',
  'cancelled',
  'closing',
  'client-gone',
  'malformed',
  'bug',
])

const faultWord = ({ code }: WireError): 'refused' | 'reset' | 'timeout' | 'tls' | 'cancelled' => {
  if (code === 'dial-refused' || code === 'dial-failed') return 'refused'
  if (code === 'dial-timeout' || code === 'response-timeout' || code === 'deadline')
    return 'timeout'
  if (code === 'tls-failed' || code === 'identity-mismatch') return 'tls'
  return code === 'upstream-reset' ||
    code === 'upstream-stalled' ||
    code === 'bad-upstream-response'
    ? 'reset'
    : 'cancelled'
}

const vendorIdOf = (head: ResponseHead): Attributes => {
  for (const name of vendorRequestHeaders) {
    const id = head.headers.get(name)
    if (id !== undefined) return { [attribute.vendorRequestId]: id }
  }
  return {}
}
