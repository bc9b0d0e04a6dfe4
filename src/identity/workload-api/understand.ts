/**
 * Judges what an agent sent: picks our identity, joins its bundles with those of the configuration, and holds all of it
 * to the rules of any other source.
 *
 * Where agent and configuration both speak of a trust domain, the configuration rules.
 */
import { createHash, createPrivateKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { splitCertificates } from '../certificate.ts'
import { IdentityError, IdentityFileError } from '../identity-error.ts'
import { checkLoadable } from '../mesh-tls.ts'
import type { IdentitySection, WorkloadApiSection } from '../section.ts'
import { readTrustFiles, trustFilePaths } from '../sources/trust-files.ts'
import { parseTrustDomain } from '../spiffe-id.ts'
import { bundleOf, trustIn } from '../trust-bundle.ts'
import type { TrustBundle, TrustBundles } from '../trust-bundle.ts'
import { assembleIdentity } from '../workload-identity.ts'
import type { WorkloadIdentity } from '../workload-identity.ts'
import { readRevocationLists } from '../x509/crl.ts'
import type { X509SvidMessage, X509SvidResponse } from './messages.ts'

/** What an answer of the agent is read with. */
export interface AgentContext {
  readonly section: IdentitySection
  readonly workloadApi: WorkloadApiSection
  readonly baseDirectory: string
  /** The address of the agent, for people. */
  readonly origin: string
  readonly now: () => number
}

/** An answer that can be used. */
export interface Understood {
  readonly identity: WorkloadIdentity
  readonly trust: TrustBundles
  /** Equal text means equal trust. */
  readonly trustKey: string
  /** A CRL file that could not be used while the rest could. */
  readonly fault?: IdentityFileError
}

const keyOf = (der: Buffer): KeyObject => {
  try {
    return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  } catch {
    throw new IdentityError('malformed', 'the private key does not parse')
  }
}

const chosen = (response: X509SvidResponse, wanted: string | undefined): X509SvidMessage => {
  const { svids } = response
  const svid = wanted === undefined ? svids[0] : svids.find((one) => one.spiffeId === wanted)
  if (svid) return svid
  const what =
    wanted === undefined ? 'the agent sent no identity' : `the agent did not send ${wanted}`
  throw new IdentityError('not-spiffe', what)
}

const trustDomainOf = (svid: X509SvidMessage, wanted: string | undefined): string => {
  const trustDomain = parseTrustDomain(svid.spiffeId.split('/').slice(0, 3).join('/'))
  if (wanted === undefined || wanted === trustDomain) return trustDomain
  throw new IdentityError('not-spiffe', `the agent is of ${trustDomain}, not of ${wanted}`)
}

const foreignBundles = (
  response: X509SvidResponse,
  configured: ReadonlyMap<string, TrustBundle>,
): readonly TrustBundle[] =>
  [...response.federated].flatMap(([id, ders]) => {
    const trustDomain = parseTrustDomain(id)
    return configured.has(trustDomain) ? [] : [bundleOf(trustDomain, splitCertificates(ders))]
  })

const revocationOf = (
  response: X509SvidResponse,
  configured: TrustBundles['revocation'],
  origin: string,
): TrustBundles['revocation'] => {
  const lists = response.crls.flatMap((crl) => readRevocationLists(crl, origin))
  if (configured !== 'not-configured')
    return { ...configured, lists: [...configured.lists, ...lists] }
  if (lists.length === 0) return 'not-configured'
  return { lists, unusable: [], maxAgeMs: Number.POSITIVE_INFINITY, coverage: 'as-listed' }
}

const digestOf = (parts: readonly (string | Buffer)[]): string => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(`${part.length}:`).update(part)
  return hash.digest('base64url')
}

/**
 * Judges an answer.
 *
 * @param last the trust in force, or undefined at start
 * @throws IdentityError, IdentityFileError or SpiffeIdError with what is wrong
 */
export const understand = (
  response: X509SvidResponse,
  last: TrustBundles | undefined,
  context: AgentContext,
): Understood => {
  const { section, workloadApi, origin } = context
  const svid = chosen(response, workloadApi.spiffe_id)
  const trustDomain = trustDomainOf(svid, section.trust_domain)
  const own = bundleOf(trustDomain, splitCertificates(svid.bundle))
  const files = readTrustFiles(own, trustFilePaths(section, context.baseDirectory), last)
  const { byTrustDomain, revocation } = files.trust
  const trust = trustIn(
    [...byTrustDomain.values(), ...foreignBundles(response, byTrustDomain)],
    revocationOf(response, revocation, origin),
  )
  const identity = assembleIdentity(
    splitCertificates(svid.chain),
    keyOf(svid.key),
    { byTrustDomain: trust.byTrustDomain, revocation: 'not-configured' },
    context.now(),
    origin,
  )
  if (identity.spiffeId.uri !== svid.spiffeId)
    throw new IdentityError('not-spiffe', 'the certificate has another id than the agent said')
  checkLoadable(identity, trust)
  const trustKey = digestOf([files.key, ...response.crls, ...[...response.federated].flat()])
  return { identity, trust, trustKey, ...(files.fault ? { fault: files.fault } : {}) }
}

/** Says of any error that came of an answer, or of none, what it means for the source. */
export const agentFault = (error: unknown, origin: string): IdentityFileError =>
  error instanceof IdentityFileError
    ? error
    : new IdentityFileError({
        file: origin,
        expected: 'an x.509-svid from the workload api',
        got: error instanceof Error ? error.message : String(error),
        fix: 'check that the agent runs and that this workload is registered with it',
      })
