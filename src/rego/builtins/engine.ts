/** Functions about the engine itself: its runtime, the parser, notes for a trace. */
import { stringOperand, type FunctionTable } from './operand.ts'

export const engineFunctions: FunctionTable = {
  'opa.runtime': (context) => context.runtime,
  'rego.parse_module': (context, file, text) =>
    context.parseModule(stringOperand(file, 1), stringOperand(text, 2)),
  trace: (_, note) => {
    stringOperand(note, 1)
    return true
  },
}
