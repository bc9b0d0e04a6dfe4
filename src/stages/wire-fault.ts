/** Names the faults of the wire in the words of the refusal table, once for all directions. */
import type { Code } from '../exchange/codes.ts'
import { Refusal, UpstreamFault } from '../exchange/refusal.ts'
import type { WireError, WireErrorCode } from '../wire/wire-error.ts'

/** Faults of the one who sent the request. */
const callerCodes: Partial<Record<WireErrorCode, Code>> = {
  malformed: 'request.malformed',
  'ambiguous-length': 'request.ambiguous-length',
  'duplicate-header': 'request.duplicate-header',
  'underscore-header': 'request.malformed',
  'connection-header': 'request.header-forged',
  host: 'request.malformed',
  'authority-mismatch': 'request.authority',
  path: 'request.path',
  'method-refused': 'route.method',
  'header-timeout': 'request.timeout',
  'body-timeout': 'request.timeout',
  'client-stalled': 'request.timeout',
  'too-large': 'request.too-large',
  'target-too-long': 'request.target-too-long',
  expectation: 'request.expectation',
  'headers-too-large': 'request.headers-too-large',
  'method-unknown': 'request.method',
  version: 'request.version',
  'client-gone': 'sidecar.cancelled',
  cancelled: 'sidecar.cancelled',
  closing: 'limit.drain',
  'queue-full': 'limit.concurrency',
  'queue-timeout': 'limit.concurrency',
}

/** Faults of the one that the request was sent to, as the last word of a code of its family. */
const originReasons: Partial<Record<WireErrorCode, 'refused' | 'timeout' | 'invalid' | 'reset'>> = {
  'dial-refused': 'refused',
  'dial-failed': 'refused',
  'dial-timeout': 'timeout',
  'response-timeout': 'timeout',
  deadline: 'timeout',
  'upstream-stalled': 'timeout',
  'dns-timeout': 'timeout',
  'bad-upstream-response': 'invalid',
}

/** Codes that only one family has. */
const ownCodes: Readonly<Record<string, Code>> = {
  'hop/tls-failed': 'hop.tls',
  'hop/identity-mismatch': 'hop.identity-mismatch',
  'hop/dns-failed': 'hop.unavailable',
  'api/tls-failed': 'api.tls',
  'api/identity-mismatch': 'api.tls',
  'api/address-denied': 'api.address',
  'api/dns-failed': 'api.dns',
  'api/response-too-large': 'api.response-too-large',
}

/** The refusal for a fault of the caller, or undefined when it is not the caller's. */
export const callerFault = (error: WireError): Refusal | undefined => {
  const code = callerCodes[error.code]
  if (code === undefined) return undefined
  const wait = code === 'limit.concurrency' ? { retryAfterMs: 1_000 } : {}
  return new Refusal(code, { detail: error.message, ...wait })
}

/** The refusal for any fault of the wire while a request of `family` is under way. */
export const wireFault = (family: 'app' | 'hop' | 'api', error: WireError): Refusal => {
  const caller = callerFault(error)
  if (caller !== undefined) return caller
  const own = ownCodes[`${family}/${error.code}`]
  const code = own ?? (`${family}.${originReasons[error.code] ?? 'reset'}` as const)
  return new UpstreamFault(code, { detail: error.message })
}
