/**
 * Distrusts what a third party answers, before anything of it reaches the application: how many headers it has, where
 * a redirect points, and headers that only a sidecar may set. Its size and time are bounded by the wire.
 */
import { canonicalHost, coversHost } from '../catalog/entry/host.ts'
import type { ApiEntry } from '../catalog/entry/entry.ts'
import { UpstreamFault } from '../exchange/refusal.ts'
import type { AnswerDecision } from '../stages/relay.ts'
import { isForged } from '../stages/strip-headers.ts'
import type { BodySource } from '../wire/body.ts'
import type { ResponseHead } from '../wire/message.ts'
import type { ApiCall, ApiMatched } from './match-api.ts'

/** Judges one answer; calls exactly one method of `decision`, once. */
export type CheckResponse = (
  x: ApiMatched,
  head: ResponseHead,
  body: BodySource,
  decision: AnswerDecision,
) => void

/** Headers of an answer that mean something between the vendor and us, and nothing to the app. */
const vendorOnly = new Set(['traceresponse', 'traceparent', 'tracestate', 'baggage', 'alt-svc'])

/** The check. */
export const checkResponse: CheckResponse = ({ api }, head, body, decision) => {
  const refused = judgeHead(api, head)
  if (refused !== undefined) {
    decision.refuse(refused)
    return
  }
  head.headers.deleteWhere((name) => isForged(name) || vendorOnly.has(name))
  decision.pass(head, body)
}

const judgeHead = (api: ApiCall, head: ResponseHead): UpstreamFault | undefined => {
  const { entry } = api
  if (entry === undefined) return undefined
  if (head.headers.size > entry.distrust.response_header_count) {
    return new UpstreamFault('api.response-unsafe', {
      detail: `the answer has ${head.headers.size} headers, ${entry.name} allows ${entry.distrust.response_header_count}`,
    })
  }
  const location = head.headers.get('location')
  if (location === undefined || head.status < 300 || head.status > 399) return undefined
  if (entry.redirects.mode === 'observe' || staysDeclared(api, entry, location)) return undefined
  return new UpstreamFault('api.redirect', {
    detail: `${entry.name} answers ${head.status} and points at a host that is not declared`,
  })
}

/** True when a redirect stays with the hosts of the entry, or points at a target that it lists. */
const staysDeclared = (api: ApiCall, entry: ApiEntry, location: string): boolean => {
  const base = `https://${api.authority}/`
  if (!URL.canParse(location, base)) return false
  const url = new URL(location, base)
  if (url.username !== '' || url.password !== '') return false
  if (url.protocol !== 'https:' && entry.unsafe_plaintext !== true) return false
  const host = canonicalHost(url.hostname.replace(/^\[|\]$/g, ''))
  if (host.kind === 'fault') return false
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port)
  return [...entry.hosts, ...entry.redirects.targets].some(
    (declared) => declared.port === port && coversHost(declared, host.host),
  )
}
