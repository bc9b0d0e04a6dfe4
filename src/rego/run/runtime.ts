/**
 * The state of a running query: input and data, what `with` has put in their place, the budget, and
 * the age of cached results. One policy has one runtime: a decision is synchronous, and a query that
 * starts inside another (a built-in that asks the policy) saves and restores it.
 */

import type { BuiltinContext } from '../builtins/builtin.ts'
import { EvalError, type Location } from '../errors.ts'
import { equals, type Value } from '../values.ts'

/** What stands in for a function while a `with` is in force. */
export type Mock =
  | { readonly kind: 'value'; readonly value: Value }
  | {
      readonly kind: 'function'
      readonly call: (operands: readonly Value[], location: Location) => Value | undefined
    }

export interface Budget {
  /** Most steps (rules entered, elements visited, work that built-ins report) of one decision. */
  readonly steps: number
  /** Most milliseconds of wall time of one decision. */
  readonly wallMs: number
}

const stepsBetweenClockReads = 2048

export class Runtime {
  input: Value | undefined
  data: Value
  /** Data paths a `with` has replaced; undefined when there are none. */
  targets: readonly (readonly Value[])[] | undefined
  mocks: ReadonlyMap<string, Mock> | undefined
  /** Results cached under another epoch are stale. */
  epoch = 1
  strict = false
  context!: BuiltinContext
  /** The rule being evaluated, for the message of a decision that took too long. */
  current: Location | undefined
  /** The rule that gave the last value; of a decision's document, once it is done. */
  decided: (Location & { readonly path: string }) | undefined
  readonly now: () => number
  readonly #base: Value
  #epochs = 1
  #steps = 0
  #nextRead = 0
  #maxSteps = Infinity
  #deadline = Infinity
  #wallMs = Infinity

  constructor(data: Value, now: () => number) {
    this.data = data
    this.#base = data
    this.now = now
  }

  /** Starts a query with empty caches. */
  begin(input: Value | undefined, budget: Budget | undefined): void {
    this.input = input
    // An error inside a `with` leaves its replacements behind.
    this.data = this.#base
    this.targets = undefined
    this.mocks = undefined
    this.current = undefined
    this.decided = undefined
    this.newEpoch()
    this.#steps = 0
    if (budget === undefined) {
      this.#nextRead = this.#maxSteps = Infinity
      return
    }
    this.#maxSteps = budget.steps
    this.#wallMs = budget.wallMs
    this.#deadline = 0
    this.#nextRead = Math.min(stepsBetweenClockReads, budget.steps)
  }

  /** Makes every cached result stale until the old epoch is put back. */
  newEpoch(): void {
    this.#epochs += 1
    this.epoch = this.#epochs
  }

  /** True when nothing a rule can read, input apart, differs from the policy's own. */
  get pristine(): boolean {
    return this.targets === undefined && this.mocks === undefined
  }

  /** Counts one step. */
  tick(): void {
    this.#steps += 1
    if (this.#steps >= this.#nextRead) this.#check()
  }

  /** Counts work done elsewhere. */
  spend(steps: number): void {
    this.#steps += steps
    if (this.#steps >= this.#nextRead) this.#check()
  }

  #check(): void {
    const time = this.now()
    if (this.#deadline === 0) this.#deadline = time + this.#wallMs
    if (this.#steps >= this.#maxSteps || time >= this.#deadline) {
      const what = this.#steps >= this.#maxSteps ? `${this.#maxSteps} steps` : `${this.#wallMs} ms`
      throw new EvalError('policy.too-slow', `the decision used up its ${what}`, this.current)
    }
    this.#nextRead = Math.min(this.#steps + stepsBetweenClockReads, this.#maxSteps)
  }

  /** True when a `with` has replaced this document, or one that holds it. */
  replaced(path: readonly Value[]): boolean {
    if (this.targets === undefined) return false
    return this.targets.some(
      (target) =>
        target.length <= path.length && target.every((key, at) => equals(key, path[at] as Value)),
    )
  }
}
