/**
 * The engine's front door. A policy is compiled once from its modules and data; a query prepared from
 * it decides as often as it is asked. Decisions are synchronous, keep nothing of their input and
 * share nothing but what cannot depend on it.
 */

import type { Builtin, BuiltinContext } from './builtins/builtin.ts'
import { BuiltinError } from './builtins/builtin.ts'
import { builtins as allBuiltins } from './builtins/registry.ts'
import { compileSteps, type Compiled } from './compile/compile.ts'
import { prepareBody, prepareDocument, type Bindings } from './compile/queries.ts'
import { explainDocument, type ExplainOptions, type Failure } from './explain.ts'
import { ErrorList, EvalError, RegoErrors, type Location } from './errors.ts'
import type { RulePlace } from './run/documents.ts'
import { Runtime, type Budget } from './run/runtime.ts'
import { atOnce, inSlices, type Pace, type Steps } from './run/slices.ts'
import type { Trace } from './run/trace.ts'
import { parseModule, parseModuleSteps, parseQuery, parseTerm } from './syntax/parse.ts'
import { moduleJson } from './syntax/tree-json.ts'
import type { Body, Module, RegoVersion } from './syntax/tree.ts'
import type { Value } from './values.ts'
import { fromJson } from './value-text.ts'

export interface Source {
  readonly file: string
  readonly text: string
  /** Overrides the version of the bundle for this file. */
  readonly regoVersion?: RegoVersion
}

export interface Bundle {
  readonly modules: readonly Source[]
  /** The base document, as JSON.parse gives it. */
  readonly data?: unknown
  readonly regoVersion?: RegoVersion
}

export interface PolicyOptions {
  /** `strict` also refuses unused imports, assignments and arguments. */
  readonly check?: 'strict' | 'lenient'
  readonly experimental?: 'none' | 'all'
  /** Words of `future.keywords` in force without an import. */
  readonly forced?: readonly string[]
  readonly builtins?: ReadonlyMap<string, Builtin>
  /** Milliseconds since 1970, for `time.now_ns` and for the budget. */
  readonly now?: () => number
  readonly random?: () => number
  readonly print?: (line: string, location: Location) => void
  /** Watches the policy run; every expression costs more when it is there. */
  readonly trace?: Trace
  readonly httpSend?: BuiltinContext['httpSend']
  readonly lookupIp?: BuiltinContext['lookupIp']
  /** What `opa.runtime()` returns. */
  readonly runtime?: Value
}

export interface DecideOptions {
  readonly nowNs?: bigint
  readonly budget?: Budget
  /** `strict`: the first error of a built-in ends the query. */
  readonly builtinErrors?: 'undefined' | 'strict'
  /** Asks why: see `Decision.failures`. */
  readonly explain?: ExplainOptions
}

export interface DecisionError {
  readonly code: string
  readonly message: string
  readonly location: Location | undefined
}

export interface Decision {
  /** False when the document is undefined, and when there is an error. */
  readonly defined: boolean
  readonly value: Value | undefined
  readonly error?: DecisionError
  /** The rule that gave the value, the default included; absent for packages and sets. */
  readonly rule?: RulePlace
  /** With `explain`: what kept other rules of the document from deciding, nearest first. */
  readonly failures?: readonly Failure[]
}

/** A prepared entry point. */
export interface Query {
  /** Decides for one input; never throws for what a policy or an input can do. */
  decide(input: unknown, options?: DecideOptions): Decision
}

/** A query with variables, ready to run. */
export interface Solver {
  /** All solutions; throws `EvalError`. */
  run(input: Value | undefined, options: DecideOptions): readonly Bindings[]
}

const noOptions: DecideOptions = {}

/** Compiles a bundle; throws `RegoErrors` with every mistake. */
export function compileBundle(bundle: Bundle, options: PolicyOptions = {}): Policy {
  return new Policy(parseSources(bundle, options), fromJson(bundle.data ?? {}), options)
}

/** The same between other work: no slice takes longer than the pace says, whatever the size of the bundle. */
export async function compileInSlices(
  bundle: Bundle,
  options: PolicyOptions,
  pace: Pace,
): Promise<Policy> {
  const modules = await inSlices(parseSteps(bundle, options), pace)
  const data = fromJson(bundle.data ?? {})
  const made = await inSlices(makeSteps(modules, data, options), pace)
  return new Policy(modules, data, options, made)
}

/** Parses the modules of a bundle; throws `RegoErrors` with the syntax errors of all of them. */
export function parseSources(bundle: Bundle, options: PolicyOptions = {}): readonly Module[] {
  return atOnce(parseSteps(bundle, options))
}

function* parseSteps(bundle: Bundle, options: PolicyOptions): Steps<readonly Module[]> {
  const errors = new ErrorList()
  const modules: Module[] = []
  for (const { file, text, regoVersion } of bundle.modules) {
    try {
      modules.push(
        yield* parseModuleSteps(file, text, {
          version: regoVersion ?? bundle.regoVersion ?? 'v1',
          experimental: options.experimental ?? 'none',
          ...(options.forced === undefined ? {} : { forced: options.forced }),
        }),
      )
    } catch (error) {
      if (!(error instanceof RegoErrors)) throw error
      errors.addAll(error.errors)
    }
  }
  errors.throwIfAny()
  return modules
}

export class Policy {
  readonly #runtime: Runtime
  readonly #compiled: Compiled
  readonly #options: PolicyOptions
  readonly #context: QueryContext

  /** Compiles the modules unless they have been; throws `RegoErrors`. */
  constructor(
    modules: readonly Module[],
    data: Value,
    options: PolicyOptions,
    made: Made = atOnce(makeSteps(modules, data, options)),
  ) {
    this.#options = options
    this.#runtime = made.runtime
    this.#context = made.context
    this.#compiled = made.compiled
  }

  /** Prepares a document, such as `data.authz.allow`; throws `RegoErrors` when the path is no ref. */
  prepare(path: string): Query {
    const term = parseTerm(path)
    const valueOf = prepareDocument(this.#compiled, term)
    const runtime = this.#runtime
    const decide = (): Decision => {
      const value = valueOf()
      const rule = runtime.decided
      if (rule === undefined) return { defined: value !== undefined, value }
      return { defined: value !== undefined, value, rule }
    }
    const explain = (options: ExplainOptions) => (): Decision => {
      const decision = decide()
      const keys =
        term.kind === 'ref'
          ? term.parts.map((part) => (part.kind === 'scalar' ? part.value : null))
          : []
      const { program, at } = this.#compiled
      return { ...decision, failures: explainDocument(program, at, keys, options) }
    }
    return {
      decide: (input, options = noOptions) => {
        const way = options.explain === undefined ? decide : explain(options.explain)
        return this.#guard(input as Value | undefined, options, way)
      },
    }
  }

  /** All solutions of a query, each with the values of its variables; throws `EvalError`. */
  query(text: string, input: Value | undefined, options: DecideOptions = {}): readonly Bindings[] {
    const { experimental = 'none' } = this.#options
    return this.solve(parseQuery(text, { version: 'v1', experimental })).run(input, options)
  }

  /** The same for a query that has been parsed, ready to run often; throws `RegoErrors`. */
  solve(body: Body): Solver {
    const run = prepareBody(this.#compiled, body)
    return {
      run: (input, options) => {
        this.#begin(input, options)
        return run('all')
      },
    }
  }

  /** How many operands a built-in or a function `data.…` takes; undefined for an unknown name. */
  arity(name: string): number | undefined {
    return this.#compiled.program.arity(name)
  }

  #begin(input: Value | undefined, options: DecideOptions): void {
    const runtime = this.#runtime
    runtime.begin(input, options.budget)
    runtime.strict = options.builtinErrors === 'strict'
    this.#context.begin(options)
  }

  #guard(input: Value | undefined, options: DecideOptions, decide: () => Decision): Decision {
    this.#begin(input, options)
    try {
      return decide()
    } catch (error) {
      return { defined: false, value: undefined, error: asDecisionError(error) }
    }
  }
}

/** The parts of a policy. */
interface Made {
  readonly runtime: Runtime
  readonly context: QueryContext
  readonly compiled: Compiled
}

function* makeSteps(modules: readonly Module[], data: Value, options: PolicyOptions): Steps<Made> {
  const runtime = new Runtime(data, options.now ?? Date.now)
  const context = new QueryContext(options, runtime)
  runtime.context = context
  const compiled = yield* compileSteps(modules, runtime, {
    strict: options.check ?? 'lenient',
    builtins: options.builtins ?? allBuiltins,
    print: options.print,
    trace: options.trace,
  })
  return { runtime, context, compiled }
}

/** What built-ins see of a query; one object, begun anew for each decision. */
class QueryContext implements BuiltinContext {
  readonly interQueryCache = new Map<string, unknown>()
  readonly random: () => number
  readonly httpSend: BuiltinContext['httpSend']
  readonly lookupIp: BuiltinContext['lookupIp']
  readonly runtime: Value
  readonly parseModule = parseForPolicy
  strict = false
  location: Location = { file: '', row: 0, col: 0 }
  readonly #now: () => number
  readonly #spender: Runtime
  #cache: Map<string, unknown> | undefined
  #nowNs: bigint | undefined

  constructor(options: PolicyOptions, spender: Runtime) {
    this.random = options.random ?? Math.random
    this.httpSend = options.httpSend
    this.lookupIp = options.lookupIp
    this.runtime = options.runtime ?? {}
    this.#now = options.now ?? Date.now
    this.#spender = spender
  }

  begin(options: DecideOptions): void {
    this.strict = options.builtinErrors === 'strict'
    this.#cache = undefined
    this.#nowNs = options.nowNs
  }

  get cache(): Map<string, unknown> {
    this.#cache ??= new Map()
    return this.#cache
  }

  nowNs(): bigint {
    this.#nowNs ??= BigInt(Math.round(this.#now() * 1000)) * 1000n
    return this.#nowNs
  }

  spend(steps: number): void {
    this.#spender.spend(steps)
  }
}

function parseForPolicy(file: string, text: string): Value {
  try {
    return moduleJson(parseModule(file, text, { version: 'v1' }))
  } catch (error) {
    if (error instanceof RegoErrors) throw new BuiltinError('eval_builtin_error', error.message)
    throw error
  }
}

function asDecisionError(error: unknown): DecisionError {
  if (error instanceof EvalError)
    return { code: error.code, message: error.message, location: error.location }
  if (error instanceof RangeError) {
    return {
      code: 'eval_internal_error',
      message: 'the policy nests too deep for the stack',
      location: undefined,
    }
  }
  throw error
}
