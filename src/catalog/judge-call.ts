/**
 * Whether a call to a catalogued API may be made: operation, caller, data classes, lifecycle, review date.
 *
 * Pure: the time and the facts are given. It does not see the body, the key or the policy.
 */
import { matchOperation } from './catalog.ts'
import { coversCaller } from './entry/entry.ts'
import type { ApiEntry, Operation } from './entry/entry.ts'

/** What is known of a call before its body is read. */
export interface ProposedCall {
  readonly method: string
  /** The exact path that would be sent, without its query. */
  readonly path: string
  /** SPIFFE ID of the workload that calls. */
  readonly caller: string
  /** Data classes that the app or a detector named for this request. */
  readonly data: readonly string[]
}

/** Why a call is refused. */
export type CallRefusal =
  | 'path-ambiguous'
  | 'undeclared-operation'
  | 'undeclared-method'
  | 'caller'
  | 'data-class'
  | 'retired'
  | 'review-overdue'

/** The refusal code, in the table of the exchange, for each reason. */
export const callRefusalCode = {
  'path-ambiguous': 'api.operation',
  'undeclared-operation': 'api.operation',
  'undeclared-method': 'api.operation',
  caller: 'api.caller',
  'data-class': 'api.data-class',
  retired: 'api.review-overdue',
  'review-overdue': 'api.review-overdue',
} as const satisfies Readonly<Record<CallRefusal, string>>

/** Something to record although the call goes out. */
export interface CallWarning {
  readonly reason: 'review-overdue' | 'review-due-soon' | 'deprecated'
  readonly detail: string
}

/** The verdict on a call. */
export type CallVerdict =
  | {
      readonly decision: 'allow'
      readonly operation: Operation
      readonly parameters: Readonly<Record<string, string>>
      /** Data classes that leave with this call. */
      readonly data: readonly string[]
      readonly warnings: readonly CallWarning[]
    }
  | {
      readonly decision: 'refuse'
      readonly reason: CallRefusal
      readonly detail: string
      readonly hint: string
      /** YAML that would allow it; empty when there is none. */
      readonly draft: string
    }

/** State of an entry's review at a moment. */
export interface ReviewState {
  readonly state: 'current' | 'due-soon' | 'overdue'
  /** Whole days until the review day ends; negative when it has ended. */
  readonly daysLeft: number
}

const dayMs = 86_400_000

/** State of the review of `entry` at `now` (ms); due soon within `warningMs` of its end. */
export const reviewState = (entry: ApiEntry, now: number, warningMs: number): ReviewState => {
  const left = entry.reviewEndsAt - now
  const daysLeft = Math.floor(left / dayMs)
  if (left <= 0) return { state: 'overdue', daysLeft }
  return { state: left <= warningMs ? 'due-soon' : 'current', daysLeft }
}

/** Judges a call at `now` (ms). Refusals come in the order in which a reader of the entry would find them. */
export const judgeCall = (
  entry: ApiEntry,
  call: ProposedCall,
  now: number,
  reviewWarningMs: number,
): CallVerdict => {
  const whom = `ask ${entry.owner}`
  if (entry.lifecycle === 'retired') {
    return {
      decision: 'refuse',
      reason: 'retired',
      detail: `${entry.name} is retired`,
      hint: whom,
      draft: '',
    }
  }
  const review = reviewState(entry, now, reviewWarningMs)
  const overdue = `the review of ${entry.name} was due by ${entry.review_by}`
  if (review.state === 'overdue' && entry.review_mode === 'enforce') {
    return {
      decision: 'refuse',
      reason: 'review-overdue',
      detail: overdue,
      hint: `${whom} to review it and set a new review_by in ${entry.file}`,
      draft: '',
    }
  }
  if (!coversCaller(entry.callers, call.caller)) {
    return {
      decision: 'refuse',
      reason: 'caller',
      detail: `${call.caller} is not a caller of ${entry.name}`,
      hint: `${whom} to list it under callers in ${entry.file}`,
      draft: `callers:\n  - ${call.caller}\n`,
    }
  }
  const found = matchOperation(entry, call.method, call.path)
  if (found.kind === 'refused') {
    const near = found.nearest[0] ? `; nearest: ${found.nearest[0]}` : ''
    return {
      decision: 'refuse',
      reason: found.reason,
      detail: found.detail,
      hint: found.hint + near,
      draft: found.draft,
    }
  }
  const { operation, parameters } = found
  if (!coversCaller(operation.callers, call.caller)) {
    return {
      decision: 'refuse',
      reason: 'caller',
      detail: `${call.caller} is not a caller of ${operation.id} of ${entry.name}`,
      hint: `${whom} to list it under callers of the operation in ${entry.file}`,
      draft: `callers:\n  - ${call.caller}\n`,
    }
  }
  const data = [...new Set([...operation.data, ...call.data])]
  const barred = data.filter((one) => !entry.data.includes(one))
  if (barred.length > 0) {
    return {
      decision: 'refuse',
      reason: 'data-class',
      detail: `data class ${barred.join(', ')} may not leave to ${entry.name}`,
      hint: `${whom}; what may leave is listed under data in ${entry.file}`,
      draft: `data: [${[...entry.data, ...barred].join(', ')}]\n`,
    }
  }
  return {
    decision: 'allow',
    operation,
    parameters,
    data,
    warnings: warningsOf(entry, review, overdue),
  }
}

const warningsOf = (
  entry: ApiEntry,
  review: ReviewState,
  overdue: string,
): readonly CallWarning[] => {
  const warnings: CallWarning[] = []
  if (review.state === 'overdue') warnings.push({ reason: 'review-overdue', detail: overdue })
  if (review.state === 'due-soon') {
    warnings.push({
      reason: 'review-due-soon',
      detail: `the review of ${entry.name} is due by ${entry.review_by}`,
    })
  }
  if (entry.lifecycle === 'deprecated')
    warnings.push({ reason: 'deprecated', detail: `${entry.name} is deprecated` })
  return warnings
}
