/**
 * What a running policy tells somebody who watches: rules entered and left with a result, expressions
 * tried and found to hold. Watching is decided when the policy is compiled; a policy that nobody
 * watches has no code for it.
 */

import type { Location } from '../errors.ts'
import type { Expr } from '../syntax/tree.ts'
import type { RulePlace } from './documents.ts'

/** A watcher. It must not ask the policy anything, and must not throw. */
export interface Trace {
  /** `enter` begins the body, `exit` has a result (once for each), `leave` ends it. */
  rule(event: 'enter' | 'exit' | 'leave', place: RulePlace): void
  /** `try` begins an expression, `hold` has a solution (once for each), `leave` has no more. */
  expression(event: 'try' | 'hold' | 'leave', expr: Expr, location: Location): void
}
