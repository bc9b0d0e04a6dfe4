/** `sallyport policy …`: compiles policies, runs their tests, asks them queries and times the answers. */
import type { Command } from '../command.ts'
import { bench } from '../policy/bench.ts'
import { check } from '../policy/check.ts'
import { evaluate } from '../policy/eval.ts'
import { explain } from '../policy/explain.ts'
import { test } from '../policy/test.ts'

/** The commands, in the order of the help text. */
export const policy: readonly Command[] = [check, test, evaluate, explain, bench]
