/**
 * The identity that an agent such as SPIRE gives over the SPIFFE Workload API, with the same promises as any other
 * source: judged before it is used, replaced without a restart, the last good kept when something is wrong.
 */
import { createHash, createPrivateKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { LiveValue } from '../../live.ts'
import { splitCertificates } from '../certificate.ts'
import { IdentityError, IdentityFileError } from '../identity-error.ts'
import { checkLoadable } from '../mesh-tls.ts'
import type { IdentitySection, WorkloadApiSection } from '../section.ts'
import type { Clock } from '../sources/clock.ts'
import type { IdentityEvent, IdentitySource } from '../sources/identity-source.ts'
import { watchExpiry } from '../sources/rotate.ts'
import { stampOf } from '../sources/files.ts'
import { readTrustFiles, trustFileNames, trustFilePaths } from '../sources/trust-files.ts'
import { parseTrustDomain } from '../spiffe-id.ts'
import { bundleOf, readJwtBundle, trustIn } from '../trust-bundle.ts'
import type { BundleKey, TrustBundle, TrustBundles } from '../trust-bundle.ts'
import { assembleIdentity } from '../workload-identity.ts'
import type { WorkloadIdentity } from '../workload-identity.ts'
import { readRevocationLists } from '../x509/crl.ts'
import { WorkloadApiClient } from './client.ts'
import type { WorkloadApiError } from './client.ts'
import { endpointTarget } from './endpoint.ts'
import type { JwtSvid, X509SvidMessage, X509SvidResponse } from './messages.ts'

/** The keys that verify JWT-SVIDs, by trust domain and key id. */
export type JwtBundles = ReadonlyMap<string, ReadonlyMap<string, BundleKey>>

/** A source that can also give JWT-SVIDs and the keys that verify those of others. */
export interface WorkloadApiSource extends IdentitySource {
  readonly jwtBundles: LiveValue<JwtBundles>
  /** JWT-SVIDs of our identity for these audiences. @throws {WorkloadApiError} */
  fetchJwtSvids(audiences: readonly string[]): Promise<readonly JwtSvid[]>
}

export interface WorkloadApiSourceOptions {
  readonly clock: Clock
  readonly random: () => number
  readonly baseDirectory: string
  /** `SPIFFE_ENDPOINT_SOCKET`, used when the section names no socket. */
  readonly endpointSocket: string | undefined
  onEvent(event: IdentityEvent): void
}

const checkFilesEveryMs = 2_000

const keyOf = (der: Buffer): KeyObject => {
  try {
    return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  } catch {
    throw new IdentityError('malformed', 'the private key does not parse')
  }
}

const chosen = (response: X509SvidResponse, wanted: string | undefined): X509SvidMessage => {
  const svid =
    wanted === undefined ? response.svids[0] : response.svids.find((one) => one.spiffeId === wanted)
  if (svid) return svid
  throw new IdentityError(
    'not-spiffe',
    wanted === undefined ? 'the agent sent no identity' : `the agent did not send ${wanted}`,
  )
}

/** Joins what the agent federates with the bundles of the configuration; where both speak, the configuration rules. */
const foreignBundles = (
  response: X509SvidResponse,
  configured: ReadonlySet<string>,
): readonly TrustBundle[] =>
  [...response.federated].flatMap(([id, ders]) => {
    const trustDomain = parseTrustDomain(id)
    return configured.has(trustDomain) ? [] : [bundleOf(trustDomain, splitCertificates(ders))]
  })

interface Understood {
  readonly identity: WorkloadIdentity
  readonly trust: TrustBundles
}

/** The source over one agent. Made by {@link openWorkloadApi}. */
class WorkloadApiState {
  readonly #section: IdentitySection
  readonly #workloadApi: WorkloadApiSection
  readonly #options: WorkloadApiSourceOptions
  readonly #origin: string

  constructor(
    section: IdentitySection,
    workloadApi: WorkloadApiSection,
    options: WorkloadApiSourceOptions,
    origin: string,
  ) {
    this.#section = section
    this.#workloadApi = workloadApi
    this.#options = options
    this.#origin = origin
  }

  /** Judges a response. @throws IdentityError or IdentityFileError, SpiffeIdError or ProtobufError */
  understand(response: X509SvidResponse, last: TrustBundles | undefined): Understood {
    const svid = chosen(response, this.#workloadApi.spiffe_id)
    const chain = splitCertificates(svid.chain)
    const trustDomain = parseTrustDomain(svid.spiffeId.split('/').slice(0, 3).join('/'))
    if (this.#section.trust_domain !== undefined && this.#section.trust_domain !== trustDomain)
      throw new IdentityError(
        'not-spiffe',
        `the agent is of ${trustDomain}, not of ${this.#section.trust_domain}`,
      )
    const own = bundleOf(trustDomain, splitCertificates(svid.bundle))
    const paths = trustFilePaths(this.#section, this.#options.baseDirectory)
    const files = readTrustFiles(own, paths, last).trust
    const federated = foreignBundles(response, new Set(files.byTrustDomain.keys()))
    const bundles = [...files.byTrustDomain.values(), ...federated]
    const lists = response.crls.flatMap((crl) => readRevocationLists(crl, this.#origin))
    const revocation =
      files.revocation === 'not-configured' && lists.length > 0
        ? {
            lists,
            unusable: [],
            maxAgeMs: Number.POSITIVE_INFINITY,
            coverage: 'as-listed' as const,
          }
        : files.revocation
    const trust = trustIn(bundles, revocation)
    const identity = assembleIdentity(
      chain,
      keyOf(svid.key),
      { byTrustDomain: trust.byTrustDomain, revocation: 'not-configured' },
      this.#options.clock.now(),
      this.#origin,
    )
    if (identity.spiffeId.uri !== svid.spiffeId)
      throw new IdentityError('not-spiffe', 'the certificate has another id than the agent said')
    checkLoadable(identity, trust)
    return { identity, trust }
  }

  faultOf(error: unknown): IdentityFileError {
    if (error instanceof IdentityFileError) return error
    return new IdentityFileError({
      file: this.#origin,
      expected: 'an x.509-svid from the workload api',
      got: error instanceof Error ? error.message : String(error),
      fix: 'check that the agent runs and that this workload is registered with it',
    })
  }
}

const fingerprint = (response: X509SvidResponse): string => {
  const hash = createHash('sha256')
  for (const svid of response.svids)
    for (const part of [svid.spiffeId, svid.chain, svid.key, svid.bundle])
      hash.update(String(part.length)).update(part)
  for (const crl of response.crls) hash.update(crl)
  for (const [id, ders] of response.federated) hash.update(id).update(ders)
  return hash.digest('base64url')
}

const readJwtBundles = (message: ReadonlyMap<string, Buffer>): JwtBundles =>
  new Map(
    [...message].map(
      ([id, text]) => [parseTrustDomain(id), readJwtBundle(text.toString('utf8'))] as const,
    ),
  )

/**
 * Opens the Workload API and waits for the first identity.
 *
 * @throws IdentityFileError when the address is wrong, the agent refuses for good, or none came in time
 */
export const openWorkloadApi = (
  section: IdentitySection,
  workloadApi: WorkloadApiSection,
  options: WorkloadApiSourceOptions,
): Promise<WorkloadApiSource> => {
  const origin = workloadApi.socket || (options.endpointSocket ?? '')
  const client = new WorkloadApiClient({
    target: endpointTarget(origin),
    clock: options.clock,
    random: options.random,
  })
  const state = new WorkloadApiState(section, workloadApi, options, origin)
  const fault = new LiveValue<IdentityFileError | undefined>(undefined)
  const jwtBundles = new LiveValue<JwtBundles>(new Map())
  /** Bundles and CRLs from files change without the agent knowing. */
  const watchFiles = (onChange: () => void): (() => void) => {
    const files = trustFileNames(trustFilePaths(section, options.baseDirectory))
    let stamp = stampOf(files)
    let cancel: () => void = () => undefined
    const look = (): void => {
      const next = stampOf(files)
      if (next !== stamp) onChange()
      stamp = next
      cancel = options.clock.after(checkFilesEveryMs, look)
    }
    if (files.length > 0) cancel = options.clock.after(checkFilesEveryMs, look)
    return () => cancel()
  }
  return new Promise((resolve, reject) => {
    let live:
      | { readonly identity: LiveValue<WorkloadIdentity>; readonly trust: LiveValue<TrustBundles> }
      | undefined
    let stopExpiry: () => void = () => undefined
    let stopFiles: () => void = () => undefined
    let last: X509SvidResponse | undefined
    let mark = ''
    const giveUp = (error: IdentityFileError): void => {
      cancelTimer()
      client.close()
      reject(error)
    }
    const cancelTimer = options.clock.after(workloadApi.start_timeout, () =>
      giveUp(fault.current ?? state.faultOf(new Error('no answer in time'))),
    )
    const failed = (error: unknown): void => {
      const made = state.faultOf(error)
      if (fault.current?.message === made.message) return
      fault.set(made)
      if (live) options.onEvent({ kind: 'reload-failed', error: made })
    }
    const recovered = (): void => {
      if (fault.current === undefined) return
      fault.set(undefined)
      if (live) options.onEvent({ kind: 'recovered' })
    }
    const begin = (understood: Understood): void => {
      cancelTimer()
      const identity = new LiveValue(understood.identity)
      live = { identity, trust: new LiveValue(understood.trust) }
      fault.set(undefined)
      stopFiles = watchFiles(() => last && take(last))
      stopExpiry = watchExpiry(identity, options.clock, (percent, secondsLeft) => {
        if (percent < 100 && fault.current === undefined) return
        options.onEvent({ kind: 'expiring', percent, secondsLeft })
      })
      resolve({
        ...live,
        fault,
        jwtBundles,
        fetchJwtSvids: (audiences) =>
          client.fetchJwtSvids({ audiences, spiffeId: identity.current.spiffeId.uri }),
        close: () => {
          stopExpiry()
          stopFiles()
          client.close()
        },
      })
    }
    const take = (response: X509SvidResponse): void => {
      try {
        const understood = state.understand(response, live?.trust.current)
        last = response
        if (!live) return begin(understood)
        live.trust.set(understood.trust)
        const trustDomains = [...understood.trust.byTrustDomain.keys()]
        options.onEvent({ kind: 'trust-changed', trustDomains })
        if (understood.identity.thumbprint !== live.identity.current.thumbprint) {
          live.identity.set(understood.identity)
          options.onEvent({ kind: 'rotated', identity: understood.identity })
        }
        return recovered()
      } catch (error) {
        return failed(error)
      }
    }
    client.watchX509Svids({
      onMessage: (response) => {
        const next = fingerprint(response)
        if (live && next === mark && fault.current === undefined) return
        mark = next
        take(response)
      },
      onFault: (error: WorkloadApiError) => {
        failed(error)
        if (!live && !error.mayRetry) giveUp(state.faultOf(error))
      },
    })
    client.watchJwtBundles({
      onMessage: (message) => {
        try {
          jwtBundles.set(readJwtBundles(message))
        } catch (error) {
          failed(error)
        }
      },
      // The stream of X.509-SVIDs speaks of the connection for both.
      onFault: () => undefined,
    })
  })
}
