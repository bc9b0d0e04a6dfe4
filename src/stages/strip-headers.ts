/**
 * Removes what must not cross a boundary: headers that speak of identity, that rewrite the request behind the
 * policy's back, or that belong to the mesh. Used first on every line, so that no later stage can be told a story.
 *
 * Names are lower case. What is re-set later (XFCC, claims, the hop token) is set by the forwarding stages.
 */
import type { Stage } from '../exchange/line.ts'
import { isInternalHeader } from '../telemetry/traces/boundary.ts'
import type { HeaderList } from '../wire/headers.ts'
import type { ServerRequest } from '../wire/message.ts'

/** Names that say who somebody is; only a sidecar may set them. */
const identityNames = new Set([
  'x-forwarded-client-cert',
  'client-cert',
  'client-cert-chain',
  'x-client-cert',
  'x-client-verify',
  'x-client-dn',
  'x-ssl-cert',
  'x-spiffe-id',
  'x-forwarded-user',
  'x-forwarded-email',
  'x-forwarded-groups',
  'x-forwarded-preferred-username',
  'x-forwarded-access-token',
  'x-remote-user',
  'remote-user',
  'x-authenticated-user',
  'x-authenticated-userid',
  'workload-identity-token',
  'workload-proof-token',
  'txn-token',
  'l5d-client-id',
  'l5d-remote-ip',
])

const identityPrefixes = [
  'x-sallyport-',
  'x-spiffe-',
  'x-jwt-',
  'x-auth-request-',
  'x-ssl-client',
  'x-client-cert-',
  'x-envoy-',
]

/** Names by which some frameworks replace the method, the path or the peer that policy has judged. */
const overrideNames = new Set([
  'x-http-method-override',
  'x-http-method',
  'x-method-override',
  'x-original-url',
  'x-original-uri',
  'x-rewrite-url',
  'x-original-host',
  'x-original-method',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-proto',
  'x-forwarded-protocol',
  'x-forwarded-scheme',
  'x-forwarded-server',
  'x-forwarded-uri',
  'x-forwarded-prefix',
  'x-forwarded-path',
  'x-forwarded',
  'forwarded',
  'forwarded-for',
  'x-real-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'true-client-ip',
  'cf-connecting-ip',
  'fastly-client-ip',
  'x-host',
  'x-override-url',
])

const startsWithOne = (name: string, prefixes: readonly string[]): boolean =>
  prefixes.some((prefix) => name.startsWith(prefix))

const plainName = (name: string): string => (name.endsWith('-bin') ? name.slice(0, -4) : name)

/** True for a header by which somebody could claim an identity. */
export const speaksOfIdentity = (name: string): boolean => {
  const plain = plainName(name)
  return identityNames.has(plain) || startsWithOne(plain, identityPrefixes)
}

/** True for a header that must not be believed when it comes from outside this process. */
export const isForged = (name: string): boolean =>
  speaksOfIdentity(name) || overrideNames.has(plainName(name))

/**
 * True for a header that must not reach a third party: identity, tracing, the inner network, cookies of the mesh.
 * `authorization` is not among them; what becomes of it is decided by the stage that attaches the credential.
 */
export const staysInside = (name: string): boolean =>
  isForged(name) || isInternalHeader(name) || name === 'cookie' || name === 'cookie2'

/** Removes the forged headers from a list, in place. */
export const stripForged = (headers: HeaderList): void => {
  headers.deleteWhere(isForged)
}

/** The stage for requests of the app beside us: it may not claim an identity either, its sidecar does. */
export const stripAppHeaders: Stage<{ readonly request: ServerRequest }, object> = {
  name: 'strip-forged',
  run: ({ request }) => {
    stripForged(request.head.headers)
    return {}
  },
}
