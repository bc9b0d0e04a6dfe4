#!/usr/bin/env node
/** The program: argv to a command, a command to an exit code. Loads nothing before Node itself is found safe. */
import { nodeFault, unsafeNodeOption } from './cli/node-floor.ts'

const words = process.argv.slice(2)
const flags = [...process.execArgv, ...(process.env['NODE_OPTIONS'] ?? '').split(/\s+/)]
const fault = nodeFault(process.versions.node, flags)
if (fault) {
  const overridden = words.includes(unsafeNodeOption)
  process.stderr.write(`sallyport: ${overridden ? 'warning' : 'error'}: ${fault.message}\n`)
  process.stderr.write(`sallyport: hint: ${fault.hint}\n`)
  if (!overridden) process.exit(1)
}

const { runInProcess } = await import('./cli/process.ts')
process.exitCode = await runInProcess(words.filter((word) => word !== unsafeNodeOption))
