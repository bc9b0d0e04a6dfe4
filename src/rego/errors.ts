/**
 * The errors of the engine: what is wrong with a policy (`RegoErrors`, all of them at once, in OPA's
 * codes and words) and what stopped a query (`EvalError`). Messages of policy errors are OPA's, since
 * people search for them; a hint is added where the mistake is a common one.
 */

export type CompileErrorCode =
  | 'rego_parse_error'
  | 'rego_compile_error'
  | 'rego_type_error'
  | 'rego_unsafe_var_error'
  | 'rego_recursion_error'

export type EvalErrorCode =
  | 'eval_conflict_error'
  | 'eval_builtin_error'
  | 'eval_type_error'
  | 'eval_with_merge_error'
  | 'eval_internal_error'
  | 'policy.too-slow'

/** A place in a policy file; rows and columns count from one. */
export interface Location {
  readonly file: string
  readonly row: number
  readonly col: number
}

export interface RegoError {
  readonly code: CompileErrorCode
  readonly message: string
  readonly location: Location
}

/** Everything that keeps a policy from compiling, in order of file and place. */
export class RegoErrors extends Error {
  readonly errors: readonly RegoError[]

  constructor(errors: readonly RegoError[]) {
    super(errorsText(errors))
    this.name = 'RegoErrors'
    this.errors = errors
  }
}

function errorsText(errors: readonly RegoError[]): string {
  const lines = errors.map(
    (error) => `${locationText(error.location)}: ${error.code}: ${error.message}`,
  )
  if (lines.length === 1) return `1 error occurred: ${lines[0]}`
  return `${lines.length} errors occurred:\n${lines.join('\n')}`
}

/** An error that ends a query; `message` is the bare text, `toString` OPA's full line. */
export class EvalError extends Error {
  readonly code: EvalErrorCode
  readonly location: Location | undefined

  constructor(code: EvalErrorCode, message: string, location?: Location) {
    super(message)
    this.name = 'EvalError'
    this.code = code
    this.location = location
  }

  override toString(): string {
    const place = this.location === undefined ? '' : `${locationText(this.location)}: `
    return `${place}${this.code}: ${this.message}`
  }
}

/** `file:row`, the way OPA begins an error line; a query without a file shows row and column. */
export function locationText(location: Location): string {
  return location.file === ''
    ? `${location.row}:${location.col}`
    : `${location.file}:${location.row}`
}

/** Collects errors while a stage goes on, so that one run shows every mistake. */
export class ErrorList {
  readonly #errors: RegoError[] = []

  get empty(): boolean {
    return this.#errors.length === 0
  }

  add(code: CompileErrorCode, message: string, location: Location): void {
    this.#errors.push({ code, message, location })
  }

  addAll(errors: readonly RegoError[]): void {
    this.#errors.push(...errors)
  }

  /** Throws what was collected, sorted by file and place; returns when there is nothing. */
  throwIfAny(): void {
    if (this.#errors.length === 0) return
    const seen = new Set<string>()
    const unique = this.#errors.filter((error) => {
      const { file, row, col } = error.location
      const key = JSON.stringify([file, row, col, error.code, error.message])
      return !seen.has(key) && seen.add(key)
    })
    throw new RegoErrors(unique.sort(byPlace))
  }
}

function byPlace(a: RegoError, b: RegoError): number {
  const [left, right] = [a.location, b.location]
  if (left.file !== right.file) return left.file < right.file ? -1 : 1
  return left.row - right.row || left.col - right.col
}
