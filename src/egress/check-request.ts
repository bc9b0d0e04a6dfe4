/**
 * Judges what would leave, before the policy does: its size, its contract, classes of data that may not go to this API,
 * and keys that belong to another one. Holds as much of the body as somebody must see, and lets the rest stream; the
 * bytes that were judged are the bytes that are sent.
 *
 * Sees the request without the credential that the app brought, and before ours is put on.
 */
import type { Exchange } from '../exchange/exchange.ts'
import type { Stage } from '../exchange/line.ts'
import { Refusal } from '../exchange/refusal.ts'
import { findOwnCredential, signsBody } from '../catalog/credential/attach.ts'
import type { Finding } from '../catalog/distrust/finding.ts'
import { judgeRequest, requestTooLarge } from '../catalog/distrust/inspect-request.ts'
import type { ApiEntry } from '../catalog/entry/entry.ts'
import type { LeakVerdict } from '../catalog/leak/leak-guard.ts'
import type { Traced } from '../stages/continue-trace.ts'
import type { HeldBody } from '../stages/hold-body.ts'
import { wireFault } from '../stages/wire-fault.ts'
import { attribute, event } from '../telemetry/names.ts'
import type { ServerRequest } from '../wire/message.ts'
import { forwardedTarget } from '../wire/target.ts'
import { WireError } from '../wire/wire-error.ts'
import { limitedBody, peekBody, type Peeked } from './body/peek-body.ts'
import type { ApiMatched } from './match-api.ts'

/** The facts that this stage learns, besides the body to send. `held` is set when the whole body was asked for. */
export interface RequestChecked extends HeldBody {
  /** Whether the body can be sent again. */
  readonly replayable: 'yes' | 'no'
  /** What was seen of the body, for discovery; undefined when nobody looked. */
  readonly seen: Buffer | undefined
  /** Data classes that were recognised in the request. */
  readonly recognised: readonly string[]
  /** What is noted of the answer to an undeclared call, for discovery. */
  readonly answer: AnswerNotes
}

/** Filled in while the answer passes. */
export interface AnswerNotes {
  contentType?: string | undefined
  body?: Buffer
  /** `host:port` of a redirect. */
  redirect?: string
}

/** The guard over what leaves, as this stage needs it. */
export interface DepartureGuard {
  /** False when there is nothing that this destination must not get. */
  readonly watches: (destination: string) => boolean
  readonly bodyLimit: number
  readonly judge: (
    destination: string,
    departure: {
      readonly target: string
      readonly headers: readonly (readonly [string, string])[]
      readonly body: Buffer | undefined
    },
    contentEncoding: string,
  ) => Promise<LeakVerdict>
}

/** What the stage is built from. */
export interface CheckParts {
  /** The guard for the keys that are in force now. */
  readonly guard: () => DepartureGuard
  /** True when a call may have to be sent again, so that a body within the limit of the guard is kept. */
  readonly mayRepeat: (entry: ApiEntry) => boolean
  /** Told of a broken contract. */
  readonly onViolation: (api: string, mode: 'observe' | 'enforce') => void
  /** Told of a leak that was blocked. */
  readonly onLeak: (api: string) => void
}

type Needs = { readonly request: ServerRequest } & ApiMatched & Traced

/** The stage. */
export const checkRequest = (parts: CheckParts): Stage<Needs, RequestChecked> => ({
  name: 'check-request',
  run: (x) => {
    const { entry, host } = x.api
    const { body } = x.request
    const guard = parts.guard()
    const most = entry?.distrust.request_size
    if (entry !== undefined && (body.length ?? 0) > most!) throw refusal(requestTooLarge(entry))
    const whole = entry !== undefined && needsWhole(entry, x)
    const guarded = guard.watches(entry?.name ?? host)
    if (!whole && !guarded && entry !== undefined && !parts.mayRepeat(entry)) {
      return {
        body: body.length === undefined ? limitedBody(body, most!) : body,
        held: undefined,
        replayable: body.length === 0 ? 'yes' : 'no',
        seen: undefined,
        recognised: [],
        answer: {},
      }
    }
    const limit = whole ? most! + 1 : guard.bodyLimit
    return take(x, limit).then((peeked) => judge(x, parts, guard, peeked, whole ? 'whole' : 'part'))
  },
})

const needsWhole = (entry: ApiEntry, { api }: Needs): boolean =>
  signsBody(entry.authentication) ||
  (entry.validation.request !== 'off' && api.operation?.check !== undefined)

const take = (x: Needs, limit: number): Promise<Peeked> =>
  new Promise((resolve, reject) => {
    peekBody(x.request.body, limit, (error, peeked) => {
      if (error === undefined) resolve(peeked)
      else reject(wireFault('api', error))
    })
  })

const judge = async (
  x: Exchange & Needs,
  parts: CheckParts,
  guard: DepartureGuard,
  peeked: Peeked,
  held: 'whole' | 'part',
): Promise<RequestChecked> => {
  const { entry } = x.api
  const { seen, replayable } = peeked
  if (entry !== undefined && seen.length > entry.distrust.request_size) {
    peeked.body.cancel(new WireError('too-large', 'the body is longer than the entry allows'))
    throw refusal(requestTooLarge(entry))
  }
  if (entry !== undefined && held === 'whole') await judgeContract(x, entry, parts, seen)
  const recognised = await judgeDeparture(x, parts, guard, seen)
  return {
    body:
      replayable === 'no' && entry !== undefined
        ? limitedBody(peeked.body, entry.distrust.request_size)
        : peeked.body,
    held: held === 'whole' ? seen : undefined,
    replayable,
    seen,
    recognised,
    answer: {},
  }
}

const judgeContract = async (
  x: Exchange & Needs,
  entry: ApiEntry,
  parts: CheckParts,
  body: Buffer,
): Promise<void> => {
  const { api, request, target, span } = x
  if (api.operation === undefined) return
  const verdict = await judgeRequest(
    entry,
    api.operation,
    {
      method: request.head.method,
      parameters: x.parameters,
      query: target.query,
      headers: [...request.head.headers],
    },
    body,
  )
  if (verdict.decision === 'refuse') {
    if (verdict.finding.code === 'api.request-contract') {
      span.set(attribute.requestSchemaValid, false)
      parts.onViolation(entry.name, 'enforce')
    }
    throw refusal(verdict.finding)
  }
  span.set(attribute.requestSchemaValid, verdict.schemaValid)
  for (const finding of verdict.observed) {
    parts.onViolation(entry.name, 'observe')
    span.event(event.wouldRefuse, { [attribute.code]: finding.code })
  }
}

const judgeDeparture = async (
  x: Exchange & Needs,
  parts: CheckParts,
  guard: DepartureGuard,
  body: Buffer,
): Promise<readonly string[]> => {
  const { api, request, span } = x
  const { entry } = api
  const destination = entry?.name ?? api.host
  if (!guard.watches(destination)) return []
  const leaving = withoutOwn(x, entry)
  const verdict = await guard.judge(
    destination,
    { ...leaving, body: body.length === 0 ? undefined : body },
    request.head.headers.get('content-encoding') ?? '',
  )
  if (verdict.decision === 'refuse') {
    parts.onLeak(entry?.name ?? '_undeclared')
    throw new Refusal('api.leak', { detail: verdict.detail, hint: verdict.hint })
  }
  if (verdict.decision === 'observe')
    span.event(event.wouldRefuse, { [attribute.code]: 'api.leak' })
  const barred = verdict.data.filter((one) => entry !== undefined && !entry.data.includes(one))
  if (barred.length > 0) {
    throw new Refusal('api.data-class', {
      detail: `the request to ${entry!.name} holds data of class ${barred.join(', ')}`,
      hint: `ask ${entry!.owner}; what may leave is listed under data in ${entry!.file}`,
      members: { api: entry!.name, owner: entry!.owner },
    })
  }
  return verdict.data
}

/** Headers and target without the credential that the app brought, which will not leave. */
const withoutOwn = (
  { request, target }: Needs,
  entry: ApiEntry | undefined,
): { readonly target: string; readonly headers: readonly (readonly [string, string])[] } => {
  const headers = [...request.head.headers]
  if (entry === undefined) return { target: forwardedTarget(target), headers }
  const own = findOwnCredential(entry, { headers, query: target.query })
  return {
    target: own.strippedQuery === '' ? target.path : `${target.path}?${own.strippedQuery}`,
    headers: headers.filter(([name]) => !own.headers.includes(name)),
  }
}

const refusal = ({ code, detail, hint }: Finding): Refusal => new Refusal(code, { detail, hint })
