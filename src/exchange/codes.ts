/**
 * Every reason for which a request is not passed on, once: code, status, gRPC status, whose fault it is, whether a
 * retry can help, and what to say. Codes are a contract with dashboards and clients: they are added, never renamed.
 *
 * `docs/errors.md` is generated from this table and a test holds them equal.
 */

/** Who can change something so that the request passes. */
export type Fault = 'caller' | 'operator' | 'upstream' | 'sidecar'

/** One row of the refusal table. */
export interface CodeEntry {
  readonly status: number
  /** Canonical gRPC status code (https://grpc.github.io/grpc/core/md_doc_statuscodes.html). */
  readonly grpc: number
  readonly fault: Fault
  /** True when the same request can succeed later without a change. */
  readonly retry: boolean
  readonly title: string
  readonly hint: string
}

const grpcStatus = {
  cancelled: 1,
  invalidArgument: 3,
  deadlineExceeded: 4,
  permissionDenied: 7,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const

const row = (
  status: number,
  grpc: keyof typeof grpcStatus,
  fault: Fault,
  retry: 'retry' | 'final',
  title: string,
  hint: string,
): CodeEntry => ({ status, grpc: grpcStatus[grpc], fault, retry: retry === 'retry', title, hint })

// prettier-ignore
const requestCodes = {
  'request.malformed': row(400, 'invalidArgument', 'caller', 'final', 'the request is not valid HTTP', 'send a request that follows RFC 9112 to the letter'),
  'request.ambiguous-length': row(400, 'invalidArgument', 'caller', 'final', 'the length of the body can be read in two ways', 'send either one Content-Length or Transfer-Encoding: chunked'),
  'request.path': row(400, 'invalidArgument', 'caller', 'final', 'the path can be read in two ways', 'send a normalised path without dot segments, encoded slashes, backslashes or control characters'),
  'request.authority': row(421, 'invalidArgument', 'caller', 'final', 'the host names of the request do not agree', 'use one host name in the target, the Host header and SNI'),
  'request.duplicate-header': row(400, 'invalidArgument', 'caller', 'final', 'a header that must be single is repeated', 'send Authorization, Host and Content-* headers once'),
  'request.header-forged': row(400, 'invalidArgument', 'caller', 'final', 'a header tries to change how identity is carried', 'do not name end-to-end headers in Connection'),
  'request.too-large': row(413, 'resourceExhausted', 'caller', 'final', 'the request body is larger than the limit', 'send a smaller body or raise the limit of the route'),
  'request.headers-too-large': row(431, 'resourceExhausted', 'caller', 'final', 'the request headers are larger than the limit', 'send fewer or smaller headers'),
  'request.target-too-long': row(414, 'invalidArgument', 'caller', 'final', 'the request target is longer than the limit', 'move data from the URL to the body'),
  'request.timeout': row(408, 'deadlineExceeded', 'caller', 'retry', 'the request did not arrive in time', 'send the whole request within the time limit'),
  'request.version': row(505, 'unimplemented', 'caller', 'final', 'the HTTP version is not spoken here', 'use HTTP/1.1'),
  'request.method': row(501, 'unimplemented', 'caller', 'final', 'the method is not known', 'use a standard method in upper case'),
  'request.expectation': row(417, 'invalidArgument', 'caller', 'final', 'the expectation cannot be met', 'use Expect: 100-continue or none'),
  'request.upgrade': row(400, 'invalidArgument', 'caller', 'final', 'the protocol upgrade is not allowed here', 'list websocket under upgrade of the route'),
} as const

// prettier-ignore
const peerCodes = {
  'peer.no-certificate': row(401, 'unauthenticated', 'caller', 'final', 'the peer shows no certificate', 'connect with mutual TLS and a SPIFFE X.509-SVID'),
  'peer.expired': row(401, 'unauthenticated', 'caller', 'retry', 'the certificate of the peer has expired', 'renew the certificate of the peer and connect again'),
  'peer.not-yet-valid': row(401, 'unauthenticated', 'caller', 'retry', 'the certificate of the peer is not valid yet', 'check the clocks of both ends'),
  'peer.revoked': row(401, 'unauthenticated', 'caller', 'final', 'the certificate of the peer is revoked', 'issue a new certificate for the peer'),
  'peer.unknown-authority': row(401, 'unauthenticated', 'operator', 'final', 'no trusted authority vouches for the peer', 'add the bundle of the trust domain of the peer to identity.bundles'),
  'peer.not-spiffe': row(401, 'unauthenticated', 'caller', 'final', 'the certificate does not carry exactly one SPIFFE ID', 'issue a certificate with one URI name spiffe://trust-domain/path'),
  'peer.invalid': row(401, 'unauthenticated', 'caller', 'final', 'the certificate of the peer breaks the X.509-SVID rules', 'issue a leaf certificate with digitalSignature and without CA rights'),
  'peer.not-allowed': row(403, 'permissionDenied', 'operator', 'final', 'the route does not accept this peer', 'add the SPIFFE ID of the peer to callers of the route'),
} as const

// prettier-ignore
const routeCodes = {
  'route.unknown': row(404, 'unimplemented', 'operator', 'final', 'no route matches the request', 'add a route to inbound.routes, or a service to outbound.services'),
  'route.method': row(405, 'unimplemented', 'caller', 'final', 'the route does not serve this method', 'use one of the methods in the Allow header'),
} as const

// prettier-ignore
const tokenCodes = {
  'token.missing': row(401, 'unauthenticated', 'caller', 'final', 'a token that the route requires is missing', 'send the end user token in Authorization: Bearer'),
  'token.malformed': row(401, 'unauthenticated', 'caller', 'final', 'the token is not a well-formed JWT', 'send a compact JWS as RFC 7519 describes it'),
  'token.ambiguous': row(401, 'unauthenticated', 'caller', 'final', 'more than one token is presented', 'send one token in one header'),
  'token.too-large': row(401, 'unauthenticated', 'caller', 'final', 'the token is larger than the limit', 'ask the issuer for a smaller token'),
  'token.expired': row(401, 'unauthenticated', 'caller', 'retry', 'the token has expired', 'get a new token'),
  'token.not-yet-valid': row(401, 'unauthenticated', 'caller', 'retry', 'the token is not valid yet', 'check the clocks of the issuer and of this host'),
  'token.algorithm': row(401, 'unauthenticated', 'caller', 'final', 'the algorithm of the token is not allowed', 'sign with an algorithm of the provider, such as ES256'),
  'token.signature': row(401, 'unauthenticated', 'caller', 'final', 'the signature of the token does not verify', 'get the token from the configured issuer'),
  'token.key-unknown': row(401, 'unauthenticated', 'caller', 'retry', 'the key of the token is not known', 'check that the issuer publishes the key in its JWKS'),
  'token.keys-unavailable': row(503, 'unavailable', 'upstream', 'retry', 'the keys of the issuer cannot be fetched', 'check that the JWKS endpoint of the issuer answers'),
  'token.issuer': row(401, 'unauthenticated', 'caller', 'final', 'the issuer of the token is not accepted', 'use a token of a provider that the route lists'),
  'token.audience': row(401, 'unauthenticated', 'caller', 'final', 'the token is meant for another service', 'ask the issuer for a token whose audience is this service'),
  'token.unbound': row(401, 'unauthenticated', 'caller', 'final', 'the token is not bound to this connection', 'present the token over the connection of the workload that it was made for'),
  'token.claim': row(401, 'unauthenticated', 'caller', 'final', 'a claim of the token is missing or wrong', 'ask the issuer for a token with the claims that the provider demands'),
  'token.insufficient': row(403, 'permissionDenied', 'caller', 'final', 'the token does not grant what the route requires', 'ask for a token with the scope or claim in WWW-Authenticate'),
  'token.step-up': row(401, 'unauthenticated', 'caller', 'final', 'the user must authenticate more strongly or again', 'follow the acr_values and max_age in WWW-Authenticate'),
} as const

// prettier-ignore
const policyCodes = {
  'policy.denied': row(403, 'permissionDenied', 'operator', 'final', 'the policy denies the request', 'see which rule decided, and change the policy or the request'),
  'policy.undefined': row(403, 'permissionDenied', 'operator', 'final', 'the policy has no answer for the request', 'write a rule that allows it, with a default of false'),
  'policy.failed': row(403, 'permissionDenied', 'operator', 'final', 'the policy failed while it was evaluated', 'see the log for the error at file and line'),
  'policy.too-slow': row(403, 'permissionDenied', 'operator', 'final', 'the policy used up its budget', 'simplify the rule that is named, or raise policy.budget'),
} as const

// prettier-ignore
const limitCodes = {
  'limit.rate': row(429, 'resourceExhausted', 'caller', 'retry', 'too many requests', 'come back after the time in Retry-After'),
  'limit.concurrency': row(503, 'unavailable', 'caller', 'retry', 'too many requests at the same time', 'come back after the time in Retry-After'),
  'limit.quota': row(429, 'resourceExhausted', 'caller', 'retry', 'the quota of the day is used up', 'come back after the time in Retry-After'),
  'limit.overloaded': row(503, 'unavailable', 'sidecar', 'retry', 'the sidecar sheds load', 'come back after the time in Retry-After'),
  'limit.drain': row(503, 'unavailable', 'sidecar', 'retry', 'the sidecar is shutting down', 'connect again to another instance'),
} as const

// prettier-ignore
const upstreamCodes = {
  'app.refused': row(502, 'unavailable', 'upstream', 'retry', 'the application refuses connections', 'check that the application listens on inbound.app'),
  'app.timeout': row(504, 'deadlineExceeded', 'upstream', 'retry', 'the application did not answer in time', 'raise the timeout of the route or make the application faster'),
  'app.reset': row(502, 'unavailable', 'upstream', 'retry', 'the application closed the connection', 'see the log of the application'),
  'app.invalid': row(502, 'unavailable', 'upstream', 'final', 'the answer of the application is not valid HTTP', 'see the log for what is wrong with it'),
  'hop.refused': row(502, 'unavailable', 'upstream', 'retry', 'the peer refuses connections', 'check the addresses of the service and that its sidecar listens'),
  'hop.timeout': row(504, 'deadlineExceeded', 'upstream', 'retry', 'the peer did not answer in time', 'raise the timeout of the service'),
  'hop.reset': row(502, 'unavailable', 'upstream', 'retry', 'the peer closed the connection', 'see the log of the sidecar of the peer'),
  'hop.invalid': row(502, 'unavailable', 'upstream', 'final', 'the answer of the peer is not valid HTTP', 'see the log for what is wrong with it'),
  'hop.tls': row(502, 'unavailable', 'upstream', 'final', 'the TLS handshake with the peer failed', 'check that both ends trust the bundle of the other'),
  'hop.identity-mismatch': row(502, 'unavailable', 'operator', 'final', 'the peer is not the service that was called', 'compare spiffe_id of the service with the certificate of the peer'),
  'hop.unavailable': row(503, 'unavailable', 'upstream', 'retry', 'no healthy address of the service is left', 'come back after the time in Retry-After'),
} as const

// prettier-ignore
const apiCodes = {
  'api.undeclared': row(403, 'permissionDenied', 'operator', 'final', 'the third-party host is not in the catalog', 'add an entry under policies/apis with an owner and a purpose'),
  'api.connect': row(403, 'permissionDenied', 'operator', 'final', 'the entry does not allow CONNECT to this host', 'call it over plain HTTP through the sidecar, or set connect: intercept in the entry'),
  'api.operation': row(403, 'permissionDenied', 'operator', 'final', 'the entry does not declare this operation', 'add the method and path template to operations of the entry'),
  'api.caller': row(403, 'permissionDenied', 'operator', 'final', 'the entry does not list this caller', 'ask the owner of the entry to add the SPIFFE ID to callers'),
  'api.data-class': row(403, 'permissionDenied', 'operator', 'final', 'this class of data may not leave to this API', 'ask the owner of the entry to allow the data class'),
  'api.review-overdue': row(403, 'permissionDenied', 'operator', 'final', 'the review date of the entry has passed', 'ask the owner to review the entry and to move review_by'),
  'api.address': row(403, 'permissionDenied', 'operator', 'final', 'the address of the host is guarded', 'list the range under allow_cidrs of the entry if it is meant'),
  'api.dns': row(502, 'unavailable', 'upstream', 'retry', 'the host name cannot be resolved', 'check the name and the resolver'),
  'api.credential': row(502, 'unavailable', 'operator', 'retry', 'the credential of the entry is not available', 'check the source of the credential'),
  'api.credential-age': row(403, 'permissionDenied', 'operator', 'final', 'the credential is older than the entry allows', 'rotate the credential'),
  'api.own-credential': row(403, 'permissionDenied', 'caller', 'final', 'the application brought a credential of its own', 'remove the credential: the sidecar attaches it'),
  'api.leak': row(403, 'permissionDenied', 'caller', 'final', 'the request carries a secret that belongs elsewhere', 'remove the secret from the request'),
  'api.request-contract': row(403, 'permissionDenied', 'caller', 'final', 'the request breaks the contract of the API', 'compare the request with the contract of the entry'),
  'api.response-contract': row(502, 'unavailable', 'upstream', 'final', 'the answer of the API breaks its contract', 'compare the answer with the contract of the entry'),
  'api.response-unsafe': row(502, 'unavailable', 'upstream', 'final', 'the answer of the API is not safe to read', 'see the detail; raise the limit of the entry if it is meant'),
  'api.response-too-large': row(502, 'unavailable', 'upstream', 'final', 'the answer of the API is larger than the limit', 'raise limits.response_size of the entry if it is meant'),
  'api.redirect': row(502, 'permissionDenied', 'upstream', 'final', 'the API redirects to a host that is not declared', 'list the target under redirects of the entry'),
  'api.tls': row(502, 'unavailable', 'upstream', 'final', 'the API cannot prove that it is the declared host', 'check the certificate of the API, and tls.ca or tls.pins of the entry'),
  'api.authority': row(421, 'invalidArgument', 'caller', 'final', 'the host names of the call do not agree', 'use one host in CONNECT, SNI, Host and the URL'),
  'api.refused': row(502, 'unavailable', 'upstream', 'retry', 'the API refuses connections', 'see the status page of the API'),
  'api.reset': row(502, 'unavailable', 'upstream', 'retry', 'the API closed the connection', 'see the status page of the API'),
  'api.invalid': row(502, 'unavailable', 'upstream', 'final', 'the answer of the API is not valid HTTP', 'see the detail of the audit record'),
  'api.timeout': row(504, 'deadlineExceeded', 'upstream', 'retry', 'the API did not answer in time', 'raise limits.timeout of the entry'),
  'api.circuit-open': row(503, 'unavailable', 'upstream', 'retry', 'the API failed too often and is left alone', 'come back after the time in Retry-After'),
} as const

// prettier-ignore
const sidecarCodes = {
  'sidecar.bug': row(500, 'internal', 'sidecar', 'retry', 'the sidecar failed', 'report the id with the log line that carries it'),
  'sidecar.not-ready': row(503, 'unavailable', 'sidecar', 'retry', 'the sidecar is not ready', 'see /readyz?verbose on the health listener'),
  'sidecar.identity': row(503, 'unavailable', 'operator', 'retry', 'the identity of this workload has expired', 'renew the certificate of the workload'),
  'sidecar.cancelled': row(499, 'cancelled', 'caller', 'retry', 'the caller went away', 'nothing to do here'),
} as const

/** The whole table, in the order in which the families are documented. */
export const codes = {
  ...requestCodes,
  ...peerCodes,
  ...routeCodes,
  ...tokenCodes,
  ...policyCodes,
  ...limitCodes,
  ...upstreamCodes,
  ...apiCodes,
  ...sidecarCodes,
} satisfies Record<string, CodeEntry>

/** A stable reason, written `family.reason`. */
export type Code = keyof typeof codes

/** True when the text is a code of the table. */
export const isCode = (text: string): text is Code => Object.hasOwn(codes, text)
