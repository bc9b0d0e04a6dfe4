/** `sallyport tap`: the decisions of a running sidecar as they are made, one line each. */
import { formatAddress } from '../../units.ts'
import type { Decision } from '../../telemetry/audit/record.ts'
import { addressToAsk, askAdmin, askOptions } from '../ask-admin.ts'
import { exitCodes, type Command } from '../command.ts'
import type { Terminal } from '../terminal.ts'

const everyMs = 1_000

const colours = { allow: 'green', deny: 'red', 'would-deny': 'yellow' } as const

const nameOf = (id: string | undefined): string => id?.replace(/^spiffe:\/\//, '') ?? ''

/** Who asks whom, in the direction of the call. */
const ends = ({ api, caller, host, line, peer, route }: Decision): string => {
  if (line === 'inbound') return `${nameOf(peer) || 'stranger'} → ${route ?? 'no route'}`
  if (line === 'outbound') return `app → ${route ?? nameOf(peer)}`
  return `${nameOf(caller) || 'app'} → ${api ?? host ?? 'unknown'}`
}

/** One decision in one line: time, direction, ends, request, answer, rule, duration, trace. */
export const decisionLine = (decision: Decision, terminal: Terminal): string => {
  const { durationMs, method, rule, status, template, traceId } = decision
  const verdict = terminal.paint(colours[decision.decision], decision.decision)
  const parts = [
    new Date(decision.time).toISOString().slice(11, 23),
    decision.line.padEnd(8),
    verdict,
    `${status ?? '-'}`,
    ends(decision),
    [method, template].filter((part) => part !== undefined).join(' '),
    decision.code,
    rule && `${rule.file}:${rule.row}`,
    `${durationMs.toFixed(1)}ms`,
    traceId && terminal.paint('faint', traceId),
  ]
  return parts.filter((part) => part !== undefined && part !== '').join('  ')
}

const pause = (stop: Promise<string> | undefined): Promise<'on' | 'over'> => {
  if (stop === undefined) return Promise.resolve('over')
  let timer: NodeJS.Timeout | undefined
  const next = new Promise<'on'>((resolve) => {
    timer = setTimeout(() => resolve('on'), everyMs)
  })
  return Promise.race([next, stop.then(() => 'over' as const)]).finally(() => clearTimeout(timer))
}

/** The command. */
export const tap: Command = {
  name: 'tap',
  summary: 'show the decisions of a running sidecar as they are made',
  details:
    'Asks the admin listener each second, until SIGINT. What happens faster than admin.recent holds is left out.',
  options: {
    ...askOptions,
    deny: { type: 'switch', description: 'only what was denied, or would have been' },
    json: { type: 'switch', description: 'one JSON document a line' },
    once: { type: 'switch', description: 'print the recent decisions and end' },
  },
  examples: ['sallyport tap --deny'],
  async run(given, surroundings) {
    const { terminal } = surroundings
    const once = given.has('once')
    const stop = once ? undefined : surroundings.stopped()
    if (!once)
      terminal.tell(
        `sallyport: listening to ${formatAddress(addressToAsk(given, surroundings, 'admin'))}`,
      )
    let shown = new Set<string>()
    do {
      const recent = (await askAdmin(given, surroundings, '/decisions')) as readonly Decision[]
      const fresh = recent
        .filter(({ id, line }) => !shown.has(`${line} ${id}`))
        .filter(({ decision }) => !given.has('deny') || decision !== 'allow')
        .toSorted((left, right) => left.time - right.time)
      for (const decision of fresh) {
        terminal.print(
          given.has('json') ? JSON.stringify(decision) : decisionLine(decision, terminal),
        )
      }
      shown = new Set(recent.map(({ id, line }) => `${line} ${id}`))
    } while ((await pause(stop)) === 'on')
    return exitCodes.ok
  },
}
