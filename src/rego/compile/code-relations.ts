/** The calls that are no functions: `walk`, which has many results, and `print`, which has none. */

import type { Step } from '../run/documents.ts'
import type { Expr, Term } from '../syntax/tree.ts'
import { isArray, isObject, objectEntries, RegoSet, type Value } from '../values.ts'
import type { BodyCode } from './coder.ts'
import { codeTerm, plainText } from './code-terms.ts'
import { codeMatch } from './code-unify.ts'

/** Adds the links of a relation; false when the call is an ordinary one. */
export function codeRelation(code: BodyCode, expr: Expr & { kind: 'call' }): boolean {
  if (expr.name === 'walk' && expr.operands.length >= 1) codeWalk(code, expr.operands)
  else if (expr.name === 'internal.print') codePrint(code, expr)
  else return false
  return true
}

function codeWalk(code: BodyCode, operands: readonly Term[]): void {
  const { runtime } = code.program
  const root = codeTerm(code, operands[0] as Term)
  const slot = code.slots.temporary()
  code.single = false
  code.links.push((next) => (frame) => {
    const visit = (path: readonly Value[], value: Value): boolean => {
      runtime.spend(1 + (path.length >> 3))
      frame[slot] = [path, value]
      if (next(frame)) return true
      if (isArray(value)) {
        for (let at = 0; at < value.length; at += 1)
          if (visit([...path, at], value[at] as Value)) return true
      } else if (value instanceof RegoSet) {
        for (const member of value.sorted()) if (visit([...path, member], member)) return true
      } else if (isObject(value)) {
        for (const entry of objectEntries(value))
          if (visit([...path, entry.key], entry.value)) return true
      }
      return false
    }
    const value = root(frame)
    return value !== undefined && visit([], value)
  })
  if (operands[1] !== undefined) codeMatch(code, operands[1], slot)
}

/** Each operand is the set of its values: a line for every combination. */
function codePrint(code: BodyCode, expr: Expr & { kind: 'call' }): void {
  const location = code.location(expr.at)
  const operands = expr.operands.map((operand) => codeTerm(code, operand))
  const { calls } = code.program
  code.links.push((next: Step) => (frame) => {
    let lines = ['']
    operands.forEach((operand, index) => {
      const value = operand(frame)
      const options = value instanceof RegoSet ? value.sorted().map(plainText) : []
      const texts = options.length === 0 ? ['<undefined>'] : options
      lines = lines.flatMap((line) => texts.map((text) => (index === 0 ? text : `${line} ${text}`)))
    })
    for (const line of lines) calls.print(line, location)
    return next(frame)
  })
}
