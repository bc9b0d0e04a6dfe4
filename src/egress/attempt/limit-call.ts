/**
 * Asks the limits of the API for one attempt by this caller: quota, circuit, concurrency, rate; waits where the entry
 * declares a queue. Each refusal has its code and says when to come back.
 */
import type { Stage } from '../../exchange/line.ts'
import { Refusal } from '../../exchange/refusal.ts'
import type { ApiEntry } from '../../catalog/entry/entry.ts'
import type { Admission, ApiLimits } from '../../catalog/limits/api-limits.ts'
import type { Traced } from '../../stages/continue-trace.ts'
import { attribute } from '../../telemetry/names.ts'
import type { ApiMatched } from '../match-api.ts'

/** A place that was given, to be given back. */
export type Place = Admission & { readonly kind: 'admitted' }

/** The facts that this stage learns. */
export interface Admitted {
  /** Undefined for a call that no entry declares. Given back by the forwarder, or when the exchange is over. */
  readonly place: Place | undefined
}

/** What the stage is built from. */
export interface CallLimits {
  readonly of: (entry: ApiEntry) => ApiLimits
  readonly caller: () => string
}

const free: Admitted = { place: undefined }

/** Turns an answer of the limits into a place. */
export const placeOf = (admission: Admission): Place => {
  if (admission.kind === 'admitted') return admission
  const { code, retryAfterMs, detail } = admission
  throw new Refusal(code, { retryAfterMs, detail })
}

/** The stage. */
export const limitCall = (parts: CallLimits): Stage<ApiMatched & Traced, Admitted> => ({
  name: 'limit-rate',
  run: ({ api: { entry, operation }, span }) => {
    if (entry === undefined) return free
    const admission = parts.of(entry).enter(parts.caller(), operation?.id)
    if (!(admission instanceof Promise)) return { place: placeOf(admission) }
    return admission.then((answer) => {
      const place = placeOf(answer)
      span.set(attribute.queueMicros, Math.round(place.waitedMs * 1_000))
      return { place }
    })
  },
})
