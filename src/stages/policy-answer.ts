/**
 * Reads what a policy answered: a boolean, or the object that OPA's Envoy plugin understands, plus `reasons`.
 *
 * Anything that is not clearly a yes is a no. An object with a member of the wrong type is a failure of the policy
 * and denies, so that a mistake in a rule never forwards a request half changed. Keys: `allowed` (required),
 * `headers`, `request_headers_to_remove`, `response_headers_to_add`, `query_parameters_to_remove`,
 * `query_parameters_to_set`, `http_status`, `body`, `dynamic_metadata`, `reasons`.
 */
import type { Code } from '../exchange/codes.ts'
import type { Evaluation } from './authorize.ts'

type HeaderPairs = readonly (readonly [name: string, value: string])[]

/** What an allowing answer changes on the way through. */
export interface Changes {
  readonly setHeaders: HeaderPairs
  readonly removeHeaders: readonly string[]
  readonly responseHeaders: HeaderPairs
  readonly removeQuery: readonly string[]
  readonly setQuery: HeaderPairs
  /** True when none of the above says anything: the common case, asked on the fast path. */
  readonly none: boolean
}

/** An answer, read. */
export interface Verdict {
  readonly allowed: boolean
  readonly code: Code
  readonly reasons: readonly string[]
  readonly changes: Changes
  readonly deny: {
    readonly status: number | undefined
    readonly body: string | undefined
    readonly headers: HeaderPairs
  }
  /** What is wrong with an answer that cannot be read. */
  readonly problem: string
}

const noChanges: Changes = {
  setHeaders: [],
  removeHeaders: [],
  responseHeaders: [],
  removeQuery: [],
  setQuery: [],
  none: true,
}

const noOverride = { status: undefined, body: undefined, headers: [] } as const

const plain = (allowed: boolean, code: Code, problem = ''): Verdict => ({
  allowed,
  code,
  reasons: [],
  changes: noChanges,
  deny: noOverride,
  problem,
})

const yes = plain(true, 'policy.denied')
const no = plain(false, 'policy.denied')
const undecided = plain(false, 'policy.undefined', 'the rule is undefined for this request')

/** The verdict of an evaluation. */
export const readAnswer = (evaluation: Evaluation): Verdict => {
  if (evaluation.error !== undefined) {
    const code = evaluation.error.code === 'policy.too-slow' ? 'policy.too-slow' : 'policy.failed'
    return plain(false, code, evaluation.error.message)
  }
  const { value } = evaluation
  if (value === true) return yes
  if (value === false) return no
  if (value === undefined) return undecided
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return plain(false, 'policy.failed', 'the answer is neither a boolean nor an object')
  }
  try {
    return readObject(value as Readonly<Record<string, unknown>>)
  } catch (thrown) {
    if (!(thrown instanceof WrongType)) throw thrown
    return plain(false, 'policy.failed', thrown.message)
  }
}

class WrongType extends Error {}

const readObject = (answer: Readonly<Record<string, unknown>>): Verdict => {
  if (typeof answer['allowed'] !== 'boolean') throw new WrongType('allowed is not a boolean')
  const headers = pairs(answer, 'headers')
  const changes = {
    setHeaders: headers,
    removeHeaders: strings(answer, 'request_headers_to_remove'),
    responseHeaders: pairs(answer, 'response_headers_to_add'),
    removeQuery: strings(answer, 'query_parameters_to_remove'),
    setQuery: pairs(answer, 'query_parameters_to_set'),
  }
  return {
    allowed: answer['allowed'],
    code: 'policy.denied',
    reasons: strings(answer, 'reasons'),
    changes: { ...changes, none: Object.values(changes).every((list) => list.length === 0) },
    deny: { status: statusOf(answer), body: textOf(answer), headers },
    problem: '',
  }
}

const statusOf = (answer: Readonly<Record<string, unknown>>): number | undefined => {
  const status = answer['http_status']
  if (status === undefined) return answer['body'] === undefined ? undefined : 403
  if (!Number.isInteger(status) || Number(status) < 200 || Number(status) > 599) {
    throw new WrongType('http_status is not a status code between 200 and 599')
  }
  return Number(status)
}

const textOf = (answer: Readonly<Record<string, unknown>>): string | undefined => {
  const body = answer['body']
  if (body !== undefined && typeof body !== 'string') throw new WrongType('body is not a string')
  return body
}

const strings = (answer: Readonly<Record<string, unknown>>, key: string): readonly string[] => {
  const list = answer[key]
  if (list === undefined) return []
  if (!Array.isArray(list) || !list.every((item) => typeof item === 'string')) {
    throw new WrongType(`${key} is not a list of strings`)
  }
  return list
}

const pairs = (answer: Readonly<Record<string, unknown>>, key: string): HeaderPairs => {
  const value = answer[key]
  if (value === undefined) return []
  return (Array.isArray(value) ? value : [value]).flatMap((map: unknown) => pairsOf(map, key))
}

const pairsOf = (map: unknown, key: string): (readonly [string, string])[] => {
  if (typeof map !== 'object' || map === null) throw new WrongType(`${key} is not an object`)
  return Object.entries(map).flatMap(([name, value]: [string, unknown]) =>
    (Array.isArray(value) ? value : [value]).map((each: unknown) => {
      if (typeof each !== 'string') throw new WrongType(`${key}.${name} is not a string`)
      return [name.toLowerCase(), each] as const
    }),
  )
}
