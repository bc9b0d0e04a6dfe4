/** Calls a built-in as the engine does, with a context that stands still. */
import { BuiltinError, type BuiltinContext } from '../../../src/rego/builtins/builtin.ts'
import { builtins } from '../../../src/rego/builtins/registry.ts'
import type { Value } from '../../../src/rego/values.ts'

export function aContext(change: Partial<BuiltinContext> = {}): BuiltinContext {
  return {
    nowNs: () => 1_700_000_000_123_456_789n,
    random: () => 0.5,
    cache: new Map(),
    interQueryCache: new Map(),
    runtime: {},
    strict: true,
    parseModule: () => ({}),
    location: { file: 'test-0.rego', row: 1, col: 1 },
    spend: () => {},
    ...change,
  }
}

export function call(name: string, ...operands: Value[]): Value | undefined {
  return callIn(aContext(), name, ...operands)
}

export function callIn(
  context: BuiltinContext,
  name: string,
  ...operands: Value[]
): Value | undefined {
  const builtin = builtins.get(name)
  if (builtin === undefined) throw new Error(`no built-in is named ${name}`)
  return builtin.run(context, ...operands)
}

/** The code and message that a call is refused with. */
export function refusal(name: string, ...operands: Value[]): string {
  try {
    call(name, ...operands)
  } catch (error) {
    if (error instanceof BuiltinError) return `${error.code}: ${error.message}`
    throw error
  }
  return 'not refused'
}
