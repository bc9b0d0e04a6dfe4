/** `sallyport status` and `sallyport why`: what a running sidecar says of itself and of one decision. */
import type { Decision } from '../../telemetry/audit/record.ts'
import { askAdmin, askOptions } from '../ask-admin.ts'
import { CommandError, exitCodes, type Command } from '../command.ts'
import type { Terminal } from '../terminal.ts'

interface Info {
  readonly service: string
  readonly version: string
  readonly identity: string
  readonly policy_revision: string
}

interface Check {
  readonly name: string
  readonly state: 'ok' | 'warning' | 'failed'
  readonly detail?: string
}

const colours = { ok: 'green', warning: 'yellow', failed: 'red' } as const

const status: Command = {
  name: 'status',
  summary: 'show what a running sidecar says of itself',
  options: { ...askOptions, json: { type: 'switch', description: 'print JSON' } },
  async run(given, surroundings) {
    const { terminal } = surroundings
    const info = (await askAdmin(given, surroundings, '/info')) as Info
    const checks = (await askAdmin(given, surroundings, '/checks')) as readonly Check[]
    const failed = checks.some(({ state }) => state === 'failed')
    if (given.has('json')) terminal.print(JSON.stringify({ info, checks }, undefined, 2))
    else {
      terminal.print(
        `${info.service}: ${info.identity}, version ${info.version}, policy ${info.policy_revision}`,
      )
      for (const { name, state, detail } of checks) {
        terminal.print(
          `${terminal.paint(colours[state], state.padEnd(8))} ${name}${detail === undefined ? '' : `: ${detail}`}`,
        )
      }
    }
    return failed ? exitCodes.failed : exitCodes.ok
  },
}

const describe = (decision: Decision, terminal: Terminal): void => {
  const { rule } = decision
  const lines: readonly (readonly [string, string | undefined])[] = [
    [
      'decision',
      `${decision.decision} (${decision.line}${decision.mode === 'shadow' ? ', shadow' : ''})`,
    ],
    ['time', new Date(decision.time).toISOString()],
    ['code', decision.code],
    ['stage', decision.stage],
    ['rule', rule && `${rule.name === undefined ? '' : `${rule.name} `}${rule.file}:${rule.row}`],
    ['revision', decision.revision],
    ['peer', decision.peer],
    ['caller', decision.caller],
    ['route', decision.route],
    ['api', decision.api],
    ['host', decision.host],
    ['request', decision.method && `${decision.method} ${decision.template ?? ''}`.trim()],
    ['trace', decision.traceId],
  ]
  for (const [name, value] of lines) {
    if (value !== undefined && value !== '') terminal.print(`${name.padEnd(9)} ${value}`)
  }
}

const why: Command = {
  name: 'why',
  summary: 'say who decided on one request, and where the rule stands',
  details:
    'Looks among the recent decisions of a running sidecar; the audit trail has the older ones.',
  arguments: [
    {
      name: 'id',
      description: 'of the decision (`id` in the answer), or of its trace',
      required: true,
    },
  ],
  options: { ...askOptions, json: { type: 'switch', description: 'print JSON' } },
  async run(given, surroundings) {
    const { terminal } = surroundings
    const id = given.arguments[0]!
    const recent = (await askAdmin(given, surroundings, '/decisions')) as readonly Decision[]
    const found = recent.filter((decision) => decision.id === id || decision.traceId === id)
    if (found.length === 0) {
      throw new CommandError(
        `none of the ${recent.length} recent decisions is ${id}`,
        'look for it in the audit trail, or keep more of them with admin.recent',
      )
    }
    if (given.has('json')) terminal.print(JSON.stringify(found, undefined, 2))
    else for (const decision of found) describe(decision, terminal)
    return exitCodes.ok
  },
}

/** The commands, in the order of the help text. */
export const insight: readonly Command[] = [status, why]
