/**
 * Asks the policy, and makes the permit without which nothing is forwarded. Used by all three directions.
 *
 * Closed in every case but one clear yes: undefined, an error, a wrong type and a spent budget all deny. A rule in
 * `shadow` is evaluated and recorded in the same way and never changes the answer. What the policy is told is built
 * by the direction; what its answer may look like is read by `policy-answer`.
 */
import type { Exchange } from '../exchange/exchange.ts'
import type { Stage } from '../exchange/line.ts'
import { Refusal } from '../exchange/refusal.ts'
import type { Live } from '../live.ts'
import { readAnswer, type Changes, type Verdict } from './policy-answer.ts'

/** Where a rule stands in its file. */
export interface RuleLocation {
  readonly path: string
  readonly file: string
  readonly row: number
  readonly col: number
}

/** What one evaluation gave. `error` names why there is no value. */
export interface Evaluation {
  readonly value: unknown
  readonly error?: { readonly code: string; readonly message: string }
  readonly rule?: RuleLocation
}

/** One revision of all policies; an exchange uses exactly one. */
export interface PolicyRevision {
  readonly revision: string
  /** Evaluates the rule at `data.…` on an input document. Never throws. */
  evaluate(rule: string, input: object): Evaluation
}

/** Which rule a route, a service or an API asks, and whether its answer counts. */
export interface PolicyBinding {
  readonly rule: string
  readonly mode: 'enforce' | 'shadow'
}

/** What was decided, for the span, the audit record and the metrics. */
export interface PolicyDecision {
  readonly revision: string
  readonly rule: string
  readonly location: RuleLocation | undefined
  readonly mode: 'enforce' | 'shadow'
  /** The code that an enforced rule would have refused with; undefined when the rule allows. */
  readonly wouldDeny: string | undefined
  readonly reasons: readonly string[]
}

/** The proof that a request was authorised. Only {@link authorize} can make one. */
class Permit {
  readonly #authorised = true
  readonly changes: Changes

  constructor(changes: Changes) {
    this.changes = changes
  }

  /** Keeps the type nominal: no object literal is a permit. */
  get authorised(): boolean {
    return this.#authorised
  }
}

export type { Permit }

/** The facts that the stage learns. */
export interface Authorized {
  readonly permit: Permit
  readonly policy: PolicyDecision
}

/** The stage that makes the permit. */
export const authorize = <Needs>(parts: {
  readonly policy: Live<PolicyRevision>
  readonly binding: (x: Exchange & Needs) => PolicyBinding
  readonly input: (x: Exchange & Needs) => object
  /** False while a decision could not be recorded although it must be. */
  readonly recordable: () => boolean
  /** Told how long each evaluation took, in seconds. */
  readonly timed: (seconds: number) => void
  /** Milliseconds, with fractions, that never go back. */
  readonly monotonic: () => number
}): Stage<Needs, Authorized> => ({
  name: 'authorize',
  permits: true,
  run: (x) => {
    if (!parts.recordable()) {
      throw new Refusal('sidecar.not-ready', { detail: 'audit records cannot be kept' })
    }
    const { rule, mode } = parts.binding(x)
    const revision = parts.policy.current
    const input = parts.input(x)
    const began = parts.monotonic()
    const evaluation = revision.evaluate(rule, input)
    parts.timed((parts.monotonic() - began) / 1_000)
    const verdict = readAnswer(evaluation)
    if (!verdict.allowed && mode === 'enforce') {
      throw refusalOf(rule, revision.revision, evaluation, verdict)
    }
    return {
      permit: new Permit(verdict.changes),
      policy: {
        revision: revision.revision,
        rule,
        location: evaluation.rule,
        mode,
        wouldDeny: verdict.allowed ? undefined : verdict.code,
        reasons: verdict.reasons,
      },
    }
  },
})

const refusalOf = (
  rule: string,
  revision: string,
  evaluation: Evaluation,
  verdict: Verdict,
): Refusal => {
  const location = evaluation.rule
  const at = location === undefined ? '' : ` at ${location.file}:${location.row}:${location.col}`
  const why = verdict.reasons.length > 0 ? `: ${verdict.reasons.join('; ')}` : ''
  const detail =
    verdict.code === 'policy.denied'
      ? `${rule} denies the request${at}${why}`
      : `${rule}${at}: ${evaluation.error?.message ?? verdict.problem}`
  return new Refusal(verdict.code, {
    detail,
    headers: verdict.deny.headers,
    ...(verdict.deny.status === undefined
      ? {}
      : { override: { status: verdict.deny.status, body: verdict.deny.body } }),
    members: {
      rule: location ?? { path: rule },
      revision,
      ...(verdict.reasons.length > 0 ? { reasons: verdict.reasons } : {}),
    },
  })
}
