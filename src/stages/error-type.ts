/** The low-cardinality `error.type` of spans and metrics for each refusal code. */
import type { Code } from '../exchange/codes.ts'
import type { ErrorType } from '../telemetry/names.ts'

const byCode: Partial<Record<Code, ErrorType>> = {
  'policy.denied': 'policy_denied',
  'policy.undefined': 'policy_denied',
  'policy.failed': 'policy_failed',
  'policy.too-slow': 'policy_failed',
  'limit.rate': 'rate_limited',
  'limit.concurrency': 'concurrency_limited',
  'limit.quota': 'quota_exhausted',
  'limit.overloaded': 'concurrency_limited',
  'limit.drain': 'draining',
  'token.missing': 'token_missing',
  'token.keys-unavailable': 'keys_unavailable',
  'request.too-large': 'request_too_large',
  'hop.tls': 'tls_failed',
  'hop.identity-mismatch': 'identity_mismatch',
  'hop.unavailable': 'connect_failed',
  'api.undeclared': 'undeclared_host',
  'api.connect': 'undeclared_operation',
  'api.operation': 'undeclared_operation',
  'api.caller': 'caller_not_listed',
  'api.data-class': 'data_class',
  'api.review-overdue': 'review_overdue',
  'api.address': 'guarded_address',
  'api.dns': 'dns_failed',
  'api.credential': 'credential_missing',
  'api.credential-age': 'credential_expired',
  'api.own-credential': 'credential_leak',
  'api.leak': 'credential_leak',
  'api.request-contract': 'request_schema',
  'api.response-contract': 'response_schema',
  'api.response-unsafe': 'response_distrusted',
  'api.response-too-large': 'response_too_large',
  'api.redirect': 'redirect_undeclared',
  'api.tls': 'tls_untrusted',
  'api.authority': 'request_malformed',
  'api.circuit-open': 'breaker_open',
  'sidecar.bug': 'internal',
  'sidecar.not-ready': 'draining',
  'sidecar.identity': 'credential_expired',
  'sidecar.cancelled': 'client_gone',
}

const byFamily: Readonly<Record<string, ErrorType>> = {
  request: 'request_malformed',
  peer: 'peer_unauthenticated',
  route: 'route_unknown',
  token: 'token_invalid',
}

const byReason: Readonly<Record<string, ErrorType>> = {
  refused: 'connect_failed',
  timeout: 'timeout',
  reset: 'connection_reset',
  invalid: 'response_distrusted',
}

/** The error type of a code. */
export const errorTypeOf = (code: Code): ErrorType => {
  const [family, reason] = code.split('.') as [string, string]
  return byCode[code] ?? byFamily[family] ?? byReason[reason] ?? 'internal'
}
