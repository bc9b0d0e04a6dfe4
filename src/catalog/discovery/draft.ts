/**
 * Catalog entries and a least-privilege policy from what was learned, with the evidence at the end of each line.
 *
 * For `sallyport apis draft`. A draft allows every observed call and no more: each line is there for at least one call, so
 * that taking a line away refuses one. People fill in what no traffic tells: owner and purpose.
 */
import { entryName } from '../entry/suggestion.ts'
import type { Evidence, LearnedHost, LearnedOperation } from './discovery.ts'
import { schemaOf } from './shape.ts'

/** A file to write. */
export interface DraftFile {
  readonly file: string
  readonly text: string
}

/** Settings of a draft. */
export interface DraftOptions {
  /** Time of the draft in ms. */
  readonly now: number
  /** Days until the drafted entries must be reviewed. */
  readonly reviewDays: number
}

const day = (time: number): string => new Date(time).toISOString().slice(0, 10)

const count = (number: number): string => `${number} ${number === 1 ? 'call' : 'calls'}`

/** `41 calls, 2026-11-20 to 2026-11-23, trace 4bf92f…`. */
const evidenceText = (evidence: Evidence, more: readonly string[] = []): string => {
  const [first, last] = [day(evidence.firstSeen), day(evidence.lastSeen)]
  const when = first === last ? first : `${first} to ${last}`
  const traces = evidence.traces.length === 0 ? [] : [`trace ${evidence.traces.join(' ')}`]
  return [count(evidence.count), when, ...more, ...traces].join(', ')
}

const statusText = (operation: LearnedOperation): string =>
  `answers ${Object.entries(operation.statuses)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([status, number]) => `${status} (${number})`)
    .join(' ')}`

const callersText = (callers: Readonly<Record<string, Evidence>>): string =>
  `by ${Object.keys(callers).sort().join(' ')}`

const quoted = (text: string): string => JSON.stringify(text)

const hostText = (learned: LearnedHost): string =>
  `${learned.host.includes(':') ? `[${learned.host}]` : learned.host}:${learned.port}`

/** Names for the entries, one per host and port. */
const namesOf = (hosts: readonly LearnedHost[]): ReadonlyMap<LearnedHost, string> => {
  const names = new Map<LearnedHost, string>()
  const taken = new Set<string>()
  for (const learned of hosts) {
    const base = entryName(learned.host)
    const name = taken.has(base) ? entryName(`${learned.host.slice(0, 50)}-${learned.port}`) : base
    taken.add(name)
    names.set(learned, name)
  }
  return names
}

const draftable = (hosts: readonly LearnedHost[]): readonly LearnedHost[] =>
  hosts.filter((learned) => learned.operations.length > 0)

/** One entry file per host, for the catalog folder. */
export const draftEntries = (
  hosts: readonly LearnedHost[],
  options: DraftOptions,
): readonly DraftFile[] => {
  const usable = draftable(hosts)
  const names = namesOf(usable)
  return usable.map((learned) => ({
    file: `${names.get(learned)}.yaml`,
    text: entryText(learned, names.get(learned)!, options),
  }))
}

const entryText = (learned: LearnedHost, name: string, options: DraftOptions): string => {
  const lines = [
    `name: ${name} # drafted ${day(options.now)}; rename it together with the file`,
    'owner: "group:who-answers-for-it" # fill in; no traffic tells',
    'purpose: "why we call it" # fill in; no traffic tells',
  ]
  const list = (key: string, items: readonly (readonly [string, string])[]): void => {
    if (items.length === 0) return
    lines.push(`${key}:`, ...items.map(([item, why]) => `  - ${quoted(item)} # ${why}`))
  }
  const byName = (
    counts: Readonly<Record<string, Evidence>>,
  ): readonly (readonly [string, string])[] =>
    Object.entries(counts)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([item, evidence]) => [item, evidenceText(evidence)] as const)
  list('data', byName(learned.data))
  list('callers', byName(callersInDraft(learned)))
  list('hosts', [[hostText(learned), evidenceText(learned.evidence)]])
  if (/^[\d.]+$/.test(learned.host) || learned.host.includes(':'))
    lines.push('ip_literals: allow-declared # called by address')
  list(
    'operations',
    learned.operations.map(
      ({ method, template, value }) =>
        [
          `${method} ${template}`,
          evidenceText(value.evidence, [callersText(value.callers), statusText(value)]),
        ] as const,
    ),
  )
  if (Object.keys(learned.redirects).length > 0) {
    lines.push(
      'redirects:',
      '  targets:',
      ...byName(learned.redirects).map(([item, why]) => `    - ${quoted(item)} # ${why}`),
    )
  }
  if (learned.unsafeJson)
    lines.push(
      `distrust: { json: observe } # answers break the limits on JSON: ${evidenceText(learned.unsafeJson)}`,
    )
  lines.push(
    `review_by: "${day(options.now + options.reviewDays * 86_400_000)}" # ${options.reviewDays} days after the draft`,
  )
  return `${lines.join('\n')}\n`
}

/** Callers of drafted operations only: one that was left out must not be let in by the draft. */
const callersInDraft = (learned: LearnedHost): Readonly<Record<string, Evidence>> => {
  const drafted = new Set(learned.operations.flatMap(({ value }) => Object.keys(value.callers)))
  return Object.fromEntries(
    Object.entries(learned.callers).filter(([caller]) => drafted.has(caller)),
  )
}

/**
 * A Rego policy that allows what was seen, caller by caller, and nothing else. It takes the place of the rules of its
 * package; the entries are told apart by their drafted names.
 */
export const draftPolicy = (hosts: readonly LearnedHost[]): DraftFile => {
  const usable = draftable(hosts)
  const names = namesOf(usable)
  const lines = ['package sallyport.egress']
  for (const learned of usable) {
    lines.push('')
    for (const { method, template, value } of learned.operations) {
      for (const [caller, evidence] of Object.entries(value.callers).sort(([a], [b]) =>
        a < b ? -1 : 1,
      )) {
        const facts = [names.get(learned)!, `${method} ${template}`, caller].map(quoted).join(', ')
        lines.push(
          `allow if [input.api.name, input.api.operation, input.peer.id] == [${facts}] # ${evidenceText(evidence)}`,
        )
      }
    }
  }
  return { file: 'egress.rego', text: `${lines.join('\n')}\n` }
}

/** The shapes of bodies as JSON Schema files, to start a contract from. */
export const draftSchemas = (hosts: readonly LearnedHost[]): readonly DraftFile[] => {
  const usable = draftable(hosts)
  const names = namesOf(usable)
  return usable.flatMap((learned) =>
    learned.operations.flatMap(({ method, template, value }) =>
      (['request', 'response'] as const).flatMap((direction) => {
        const shape = value[direction]
        if (!shape) return []
        const stem =
          `${names.get(learned)}.${method.toLowerCase()}${template.replaceAll(/[^A-Za-z0-9]+/g, '-')}`.replace(
            /-+$/,
            '',
          )
        const schema = {
          $schema: 'https://json-schema.org/draft/2020-12/schema',
          $comment: `drafted from ${shape.seen} bodies`,
          ...schemaOf(shape),
        }
        return [
          {
            file: `${stem}.${direction}.schema.json`,
            text: `${JSON.stringify(schema, null, 2)}\n`,
          },
        ]
      }),
    ),
  )
}
