/**
 * What the makers of closures share: the runtime, the tree of documents, the functions, and a body's
 * growing list of links. A link takes the step that comes after it and returns the step that does its
 * own work first; a body is its links folded from the last to the first.
 */

import type { Location } from '../errors.ts'
import type { Frame, Step } from '../run/documents.ts'
import type { RuleNode } from '../run/rule-tree.ts'
import type { Runtime } from '../run/runtime.ts'
import type { Trace } from '../run/trace.ts'
import { placeCol, placeRow, type Place } from '../syntax/tree.ts'
import type { Value } from '../values.ts'
import type { CallMaker } from './code-calls.ts'
import type { Metadata } from './metadata.ts'
import type { ResolvedRule } from './resolve.ts'
import type { Arity } from './outputs.ts'

export type Link = (next: Step) => Step
/** Computes a value from a frame; undefined is no value. */
export type ValueOf = ((frame: Frame) => Value | undefined) & {
  constant?: Value
  /** The slot it reads, when it does nothing else. */
  slot?: number
  /** The member of a slot's value it reads, when it does nothing else; the name is an ordinary one. */
  member?: { readonly slot: number; readonly name: string }
}

export interface Program {
  readonly runtime: Runtime
  readonly tree: RuleNode
  readonly arity: Arity
  readonly calls: CallMaker
  readonly metadata: Metadata
  /** Paths into input that some rule reads, by their text. */
  readonly inputPaths: Map<string, ValueOf>
  /** Who watches the policy run; nobody when absent. */
  readonly trace?: Trace | undefined
}

/** Slots for the variables of one rule. Slot 0 is the result, slots from 1 the operands. */
export class Slots {
  readonly #slots = new Map<string, number>()
  #count: number

  constructor(operands: number) {
    this.#count = operands + 1
  }

  get size(): number {
    return this.#count
  }

  of(name: string): number {
    const known = this.#slots.get(name)
    if (known !== undefined) return known
    const slot = this.temporary()
    this.#slots.set(name, slot)
    return slot
  }

  /** Names a slot that exists. */
  name(name: string, slot: number): void {
    this.#slots.set(name, slot)
  }

  temporary(): number {
    const slot = this.#count
    this.#count += 1
    return slot
  }
}

/** A body under construction: its links so far and the variables bound after them. */
export class BodyCode {
  readonly program: Program
  readonly slots: Slots
  readonly bound: Set<string>
  readonly links: Link[] = []
  readonly file: string
  /** The rule it belongs to; a query belongs to none. */
  readonly rule: ResolvedRule | undefined
  /** False once a link may give more than one solution. */
  single = true

  constructor(
    program: Program,
    slots: Slots,
    bound: Set<string>,
    file: string,
    rule?: ResolvedRule,
  ) {
    this.program = program
    this.slots = slots
    this.bound = bound
    this.file = file
    this.rule = rule
  }

  /** A body inside this one: same slots, its own links, and bindings that end with it. */
  nested(): BodyCode {
    return new BodyCode(this.program, this.slots, new Set(this.bound), this.file, this.rule)
  }

  /** The steps of this body, ending in `last`. */
  fold(last: Step): Step {
    return this.links.reduceRight<Step>((next, link) => link(next), last)
  }

  location(at: Place): Location {
    return { file: this.file, row: placeRow(at), col: placeCol(at) }
  }
}

/** A value that never changes. */
export function constant(value: Value): ValueOf {
  const valueOf: ValueOf = () => value
  valueOf.constant = value
  return valueOf
}
