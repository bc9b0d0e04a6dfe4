/** The table of commands. The help text, the reference and the parser are made from it; its order is theirs. */
import type { Command } from './command.ts'
import { apis } from './commands/apis.ts'
import { audit } from './commands/audit.ts'
import { certs } from './commands/certs.ts'
import { check } from './commands/check.ts'
import { docs } from './commands/docs.ts'
import { env } from './commands/env.ts'
import { health } from './commands/health.ts'
import { injection } from './commands/inject.ts'
import { policy } from './commands/policy.ts'
import { runSidecar } from './commands/run.ts'
import { insight } from './commands/status.ts'
import { tap } from './commands/tap.ts'
import { versionCommand } from './commands/version.ts'
import { webhook } from './commands/webhook.ts'

/** Every command. */
export const commands: readonly Command[] = [
  runSidecar,
  check,
  health,
  ...insight,
  tap,
  ...policy,
  ...apis,
  ...certs,
  ...audit,
  env,
  ...injection,
  webhook,
  docs(() => commands),
  versionCommand,
]
