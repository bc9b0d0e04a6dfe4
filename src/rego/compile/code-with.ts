/**
 * `with`: an expression evaluated with other input, data or functions. What follows the expression is
 * evaluated with the old ones again, also when the expression has several solutions. Results cached
 * under a replacement are never seen outside it.
 */

import type { Step } from '../run/documents.ts'
import type { Mock, Runtime } from '../run/runtime.ts'
import { operatorName } from '../syntax/parse-terms.ts'
import type { Expr, Term, With } from '../syntax/tree.ts'
import { isObject, objectEntries, RegoObject, type Value } from '../values.ts'
import type { BodyCode, ValueOf } from './coder.ts'
import { functionMark } from './names.ts'
import { codeExpr } from './code-exprs.ts'
import { codeTerm } from './code-terms.ts'

interface State {
  input: Value | undefined
  data: Value
  targets: readonly (readonly Value[])[] | undefined
  mocks: ReadonlyMap<string, Mock> | undefined
  epoch: number
}

interface Replacement {
  readonly apply: (state: State, value: Value) => void
  readonly valueOf: ValueOf
}

/** Adds the links of an expression with its replacements in force. */
export function codeWith(code: BodyCode, expr: Expr): void {
  const { runtime } = code.program
  const replacements = expr.with.map((item) => replacement(code, item))
  const before = code.slots.temporary()
  const inner = code.nested()
  codeExpr(inner, expr)
  for (const name of inner.bound) code.bound.add(name)
  code.single &&= inner.single
  code.links.push((next) => {
    const after: Step = (frame) => {
      const state = save(runtime)
      restore(runtime, frame[before] as unknown as State)
      const done = next(frame)
      restore(runtime, state)
      return done
    }
    const step = inner.fold(after)
    return (frame) => {
      const state = save(runtime)
      const changed = { ...state }
      for (const { apply, valueOf } of replacements) {
        const value = valueOf(frame)
        if (value === undefined) return false
        apply(changed, value)
      }
      frame[before] = state as unknown as Value
      restore(runtime, changed)
      runtime.newEpoch()
      const done = step(frame)
      restore(runtime, state)
      return done
    }
  })
}

function save(runtime: Runtime): State {
  const { input, data, targets, mocks, epoch } = runtime
  return { input, data, targets, mocks, epoch }
}

function restore(runtime: Runtime, state: State): void {
  runtime.input = state.input
  runtime.data = state.data
  runtime.targets = state.targets
  runtime.mocks = state.mocks
  runtime.epoch = state.epoch
}

function replacement(code: BodyCode, item: With): Replacement {
  const name = functionTarget(code, item.target)
  if (name !== undefined) return mockReplacement(code, name, item)
  const { target } = item
  const root = target.kind === 'ref' && target.head.kind === 'var' ? target.head.name : ''
  const path =
    target.kind === 'ref'
      ? target.parts.map((part) => (part.kind === 'scalar' ? part.value : null))
      : []
  const valueOf = codeTerm(code, item.value)
  if (root === 'input') {
    return {
      valueOf,
      apply: (state, value) => void (state.input = withPath(state.input, path, 0, value)),
    }
  }
  return {
    valueOf,
    apply: (state, value) => {
      state.data = withPath(state.data, path, 0, value)
      state.targets = [...(state.targets ?? []), path]
    },
  }
}

/** The function a target names; undefined when it is a document. */
export function functionTarget(code: BodyCode, target: Term): string | undefined {
  const name = operatorName(target)
  if (name === undefined || name === 'input' || name.startsWith('input.')) return undefined
  return code.program.calls.byName(name) === undefined ? undefined : name
}

function mockReplacement(code: BodyCode, name: string, item: With): Replacement {
  const other = replacingName(item.value)
  const call = other === undefined ? undefined : code.program.calls.byName(other)
  const mockOf = (value: Value): Mock =>
    call === undefined ? { kind: 'value', value } : { kind: 'function', call }
  return {
    valueOf: call === undefined ? codeTerm(code, item.value) : () => null,
    apply: (state, value) => {
      state.mocks = new Map([...(state.mocks ?? []), [name, mockOf(value)]])
    },
  }
}

/** The function that a replacement may name: a built-in, or a rule by its path. */
function replacingName(term: Term): string | undefined {
  if (term.kind === 'call') return term.name.slice(functionMark.length)
  return term.kind === 'ref' ? operatorName(term) : undefined
}

/** A copy of a document with the value at a path replaced; what is in the way becomes an object. */
function withPath(
  document: Value | undefined,
  path: readonly Value[],
  at: number,
  value: Value,
): Value {
  if (at === path.length) return value
  const key = path[at] as Value
  const copy = new RegoObject()
  if (isObject(document))
    for (const entry of objectEntries(document)) copy.set(entry.key, entry.value)
  copy.set(key, withPath(copy.get(key), path, at + 1, value))
  return copy
}
