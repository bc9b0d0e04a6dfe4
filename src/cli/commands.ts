/** The table of commands. The help text, the reference and the parser are made from it; its order is theirs. */
import type { Command } from './command.ts'
import { certs } from './commands/certs.ts'
import { check } from './commands/check.ts'
import { docs } from './commands/docs.ts'
import { health } from './commands/health.ts'
import { runSidecar } from './commands/run.ts'
import { versionCommand } from './commands/version.ts'

/** Every command. */
export const commands: readonly Command[] = [
  runSidecar,
  check,
  health,
  ...certs,
  docs(() => commands),
  versionCommand,
]
