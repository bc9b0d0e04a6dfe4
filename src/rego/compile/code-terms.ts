/**
 * Terms to closures. A ground term, one whose variables are all bound, becomes a function from the
 * frame to its value. A term that ranges over many values first gets links that visit them.
 */

import { EvalError } from '../errors.ts'
import type { Frame, Step } from '../run/documents.ts'
import type { Term } from '../syntax/tree.ts'
import { isArray, RegoObject, RegoSet, type Value } from '../values.ts'
import { toTerm } from '../value-text.ts'
import { constant, type BodyCode, type ValueOf } from './coder.ts'
import { codeBody } from './code-exprs.ts'
import { codeRef, groundRef } from './code-refs.ts'
import { isExpr, isRoot } from './variables.ts'

/** True when a term has one value, or none, once the bound variables have theirs. */
export function isGround(term: Term, bound: ReadonlySet<string>): boolean {
  switch (term.kind) {
    case 'var':
      return bound.has(term.name) || isRoot(term.name)
    case 'ref':
      return isGround(term.head, bound) && term.parts.every((part) => isGround(part, bound))
    case 'array':
    case 'set':
      return term.items.every((item) => isGround(item, bound))
    case 'object':
      return term.entries.every(([key, value]) => isGround(key, bound) && isGround(value, bound))
    default:
      return true
  }
}

/** The value of any term: links for what it ranges over, then a function of the frame. */
export function codeTerm(code: BodyCode, term: Term): ValueOf {
  return groundTerm(code, isGround(term, code.bound) ? term : codeInner(code, term))
}

/** Visits the refs inside a term that range over many values; variables stand in for them. */
export function codeInner(code: BodyCode, term: Term): Term {
  switch (term.kind) {
    case 'ref': {
      if (isGround(term, code.bound)) return term
      const slot = code.slots.temporary()
      codeRef(code, term, slot)
      const name = `\u0002${slot}`
      code.slots.name(name, slot)
      code.bound.add(name)
      return { kind: 'var', name, at: term.at }
    }
    case 'array':
    case 'set':
      return { ...term, items: term.items.map((item) => codeInner(code, item)) }
    case 'object':
      return {
        ...term,
        entries: term.entries.map(
          ([key, value]) => [codeInner(code, key), codeInner(code, value)] as const,
        ),
      }
    default:
      return term
  }
}

/** The function from frame to value of a ground term. */
export function groundTerm(code: BodyCode, term: Term): ValueOf {
  switch (term.kind) {
    case 'scalar':
      return constant(term.value)
    case 'var': {
      const slot = code.slots.of(term.name)
      const valueOf: ValueOf = (frame) => frame[slot]
      valueOf.slot = slot
      return valueOf
    }
    case 'ref':
      return groundRef(code, term)
    case 'array': {
      const items = term.items.map((item) => groundTerm(code, item))
      return folded(items, (frame) => collect(items, frame))
    }
    case 'set': {
      const items = term.items.map((item) => groundTerm(code, item))
      return folded(items, (frame) => {
        const members = collect(items, frame)
        return members === undefined ? undefined : new RegoSet(members)
      })
    }
    case 'object':
      return objectTerm(code, term)
    case 'comprehension':
      return comprehension(code, term)
    case 'template':
      return template(code, term)
    case 'call':
      throw new EvalError(
        'eval_internal_error',
        `call of ${term.name} was not expanded`,
        code.location(term.at),
      )
  }
}

/** Computes once what depends on no variable. */
function folded(items: readonly ValueOf[], valueOf: ValueOf): ValueOf {
  if (!items.every((item) => item.constant !== undefined)) return valueOf
  const value = valueOf([])
  return value === undefined ? valueOf : constant(value)
}

function collect(items: readonly ValueOf[], frame: Frame): Value[] | undefined {
  const values = new Array<Value>(items.length)
  for (let at = 0; at < items.length; at += 1) {
    const value = (items[at] as ValueOf)(frame)
    if (value === undefined) return undefined
    values[at] = value
  }
  return values
}

function objectTerm(code: BodyCode, term: Term & { kind: 'object' }): ValueOf {
  const keys = term.entries.map(([key]) => groundTerm(code, key))
  const values = term.entries.map(([, value]) => groundTerm(code, value))
  return folded([...keys, ...values], (frame) => {
    const object = new RegoObject()
    for (let at = 0; at < keys.length; at += 1) {
      const key = (keys[at] as ValueOf)(frame)
      const value = (values[at] as ValueOf)(frame)
      if (key === undefined || value === undefined) return undefined
      object.set(key, value)
    }
    return object
  })
}

function comprehension(code: BodyCode, term: Term & { kind: 'comprehension' }): ValueOf {
  const inner = code.nested()
  codeBody(inner, term.body)
  const key = term.key === undefined ? undefined : codeTerm(inner, term.key)
  const value = codeTerm(inner, term.value)
  const slot = code.slots.temporary()
  const step = inner.fold(collector(code, term, slot, key, value))
  if (term.of === 'array') {
    return (frame) => {
      const items: Value[] = []
      frame[slot] = items
      step(frame)
      return items
    }
  }
  return (frame) => {
    const made = term.of === 'set' ? new RegoSet() : new RegoObject()
    frame[slot] = made
    step(frame)
    return made
  }
}

/** The last step of a comprehension: adds a value to what is being made. */
function collector(
  code: BodyCode,
  term: Term & { kind: 'comprehension' },
  slot: number,
  key: ValueOf | undefined,
  value: ValueOf,
): Step {
  const location = code.location(term.at)
  return (frame) => {
    const item = value(frame)
    if (item === undefined) return false
    const made = frame[slot] as Value
    if (isArray(made)) (made as Value[]).push(item)
    else if (made instanceof RegoSet) made.add(item)
    else if (made instanceof RegoObject && key !== undefined) {
      const name = key(frame)
      if (name === undefined) return false
      const present = made.get(name)
      if (present === undefined) made.set(name, item)
      else if (!sameValue(present, item)) {
        throw new EvalError('eval_conflict_error', 'object keys must be unique', location)
      }
    }
    return false
  }
}

function sameValue(a: Value, b: Value): boolean {
  return a === b || toTerm(a) === toTerm(b)
}

function template(code: BodyCode, term: Term & { kind: 'template' }): ValueOf {
  const location = code.location(term.at)
  const parts = term.parts.map((part): string | ValueOf => {
    if (typeof part === 'string') return part
    if (isExpr(part))
      throw new EvalError('eval_internal_error', 'template was not resolved', location)
    return groundTerm(code, part)
  })
  const values = parts.filter((part) => typeof part !== 'string')
  return folded(values, (frame) => {
    let text = ''
    for (const part of parts) {
      if (typeof part === 'string') {
        text += part
        continue
      }
      const value = part(frame)
      const options = value instanceof RegoSet ? value.sorted() : [value as Value]
      if (options.length > 1) {
        const message =
          'internal.template_string: template-string expression evaluated to multiple values'
        throw new EvalError('eval_builtin_error', message, location)
      }
      text += options.length === 0 ? '<undefined>' : plainText(options[0] as Value)
    }
    return text
  })
}

/** A value inside text: strings as they are, anything else as Rego prints it. */
export function plainText(value: Value): string {
  return typeof value === 'string' ? value : toTerm(value)
}
