/** Links that tell a watcher what runs; a policy without a watcher gets none of them. */

import type { RulePlace, Step } from '../run/documents.ts'
import type { Expr } from '../syntax/tree.ts'
import type { BodyCode, Program } from './coder.ts'

/** Adds the links of an expression with those that watch it around them. */
export function watchExpr(code: BodyCode, expr: Expr, add: () => void): void {
  const { trace } = code.program
  if (trace === undefined || expr.at === 0) return add()
  const location = code.location(expr.at)
  code.links.push((next) => (frame) => {
    trace.expression('try', expr, location)
    const done = next(frame)
    trace.expression('leave', expr, location)
    return done
  })
  add()
  code.links.push((next) => (frame) => {
    trace.expression('hold', expr, location)
    return next(frame)
  })
}

/** The last step of a rule, which also tells that there is a result. */
export function watchResult({ trace }: Program, place: RulePlace, last: Step): Step {
  if (trace === undefined) return last
  return (frame) => {
    trace.rule('exit', place)
    return last(frame)
  }
}

/** The steps of a rule, with its beginning and its end told. */
export function watchRule({ trace }: Program, place: RulePlace, step: Step): Step {
  if (trace === undefined) return step
  return (frame) => {
    trace.rule('enter', place)
    const done = step(frame)
    trace.rule('leave', place)
    return done
  }
}
