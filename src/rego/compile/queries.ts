/** Queries: bodies outside any package, whose solutions are the values of their variables. */

import { ErrorList } from '../errors.ts'
import type { Frame } from '../run/documents.ts'
import { placeCol, placeRow, type Body, type Term } from '../syntax/tree.ts'
import type { Value } from '../values.ts'
import { BodyCode, Slots } from './coder.ts'
import { codeBody } from './code-exprs.ts'
import { groundTerm, isGround } from './code-terms.ts'
import type { Compiled } from './compile.ts'
import { expandQuery } from './expand.ts'
import { isGenerated, isWildcard, writtenName } from './names.ts'
import { orderBody } from './order.ts'
import { resolveQuery } from './resolve.ts'
import { outsideClosures, bodyVars } from './variables.ts'

export type Bindings = ReadonlyMap<string, Value>

/** A query ready to run; `first` stops at the first solution. Throws `RegoErrors`. */
export function prepareBody(compiled: Compiled, body: Body): (want: 'first' | 'all') => Bindings[] {
  const errors = new ErrorList()
  const globals = { refs: new Map(), imports: new Map(), used: new Set<string>() }
  const resolved = resolveQuery(body, globals, { strict: 'lenient', errors })
  errors.throwIfAny()
  const expanded = expandQuery(resolved.body, resolved.names)
  const { body: ordered, unsafe } = orderBody(expanded, new Set(), compiled.program.arity)
  for (const { name, at } of unsafe) {
    const location = { file: '', row: placeRow(at), col: placeCol(at) }
    const message = isGenerated(name)
      ? 'expression is unsafe'
      : `var ${writtenName(name)} is unsafe`
    errors.add('rego_unsafe_var_error', message, location)
  }
  errors.throwIfAny()
  const slots = new Slots(0)
  const code = new BodyCode(compiled.program, slots, new Set(), '')
  codeBody(code, ordered)
  const names = [...bodyVars(ordered, outsideClosures)].filter(
    (name) => !isGenerated(name) && !isWildcard(name),
  )
  const outputs = names.map((name) => [writtenName(name), slots.of(name)] as const)
  let found: Bindings[] = []
  let stop = false
  const step = code.fold((frame) => {
    const bindings = new Map<string, Value>()
    for (const [name, slot] of outputs) {
      const value = frame[slot]
      if (value !== undefined) bindings.set(name, value)
    }
    found.push(bindings)
    return stop
  })
  return (want) => {
    found = []
    stop = want === 'first'
    const frame: Frame = new Array<Value | undefined>(slots.size).fill(undefined)
    step(frame)
    return found
  }
}

/** A document by its path, ready to be read; throws `RegoErrors` for anything but a path of constants. */
export function prepareDocument(compiled: Compiled, term: Term): () => Value | undefined {
  const code = new BodyCode(compiled.program, new Slots(0), new Set(), '')
  if (term.kind !== 'ref' || !isGround(term, code.bound)) {
    const errors = new ErrorList()
    const location = { file: '', row: placeRow(term.at), col: placeCol(term.at) }
    errors.add('rego_parse_error', 'an entry point is a path such as data.authz.allow', location)
    errors.throwIfAny()
  }
  const valueOf = groundTerm(code, term)
  const frame: Frame = new Array<Value | undefined>(code.slots.size).fill(undefined)
  return () => valueOf(frame)
}
