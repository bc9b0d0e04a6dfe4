/**
 * The identity that an agent such as SPIRE gives over the SPIFFE Workload API, with the same promises as any other
 * source: judged before it is used, replaced without a restart, the last good kept when something is wrong.
 */
import { LiveValue } from '../../live.ts'
import type { IdentityFileError } from '../identity-error.ts'
import type { IdentitySection, WorkloadApiSection } from '../section.ts'
import type { Clock } from '../sources/clock.ts'
import { stampOf } from '../sources/files.ts'
import type { IdentityEvent, IdentitySource } from '../sources/identity-source.ts'
import { watchExpiry } from '../sources/rotate.ts'
import { trustFileNames, trustFilePaths } from '../sources/trust-files.ts'
import { parseTrustDomain } from '../spiffe-id.ts'
import { readJwtBundle } from '../trust-bundle.ts'
import type { BundleKey, TrustBundles } from '../trust-bundle.ts'
import type { WorkloadIdentity } from '../workload-identity.ts'
import { WorkloadApiClient } from './client.ts'
import type { WorkloadApiError } from './client.ts'
import { endpointTarget } from './endpoint.ts'
import type { JwtSvid, X509SvidResponse } from './messages.ts'
import { agentFault, understand } from './understand.ts'
import type { AgentContext, Understood } from './understand.ts'

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

/** How often bundles and CRLs in files are looked at: they change without the agent knowing. */
const checkFilesEveryMs = 2_000

/** What is in force, from the first good answer on. */
interface InForce {
  readonly identity: LiveValue<WorkloadIdentity>
  readonly trust: LiveValue<TrustBundles>
  trustKey: string
  response: X509SvidResponse
}

const readJwtBundles = (message: ReadonlyMap<string, Buffer>): JwtBundles =>
  new Map(
    [...message].map(
      ([id, text]) => [parseTrustDomain(id), readJwtBundle(text.toString('utf8'))] as const,
    ),
  )

/** Follows one agent from the first attempt to the end. */
class AgentFollower {
  readonly fault = new LiveValue<IdentityFileError | undefined>(undefined)
  readonly jwtBundles = new LiveValue<JwtBundles>(new Map())
  readonly client: WorkloadApiClient
  readonly #context: AgentContext
  readonly #options: WorkloadApiSourceOptions
  readonly #onFirst: (inForce: InForce) => void
  #inForce: InForce | undefined
  #stops: (() => void)[] = []

  constructor(
    context: AgentContext,
    options: WorkloadApiSourceOptions,
    on: {
      readonly first: (inForce: InForce) => void
      readonly refused: (error: IdentityFileError) => void
    },
  ) {
    this.#context = context
    this.#options = options
    this.#onFirst = on.first
    const { clock, random } = options
    this.client = new WorkloadApiClient({ target: endpointTarget(context.origin), clock, random })
    this.client.watchX509Svids({
      onMessage: (response) => this.#take(response),
      onFault: (error: WorkloadApiError) => {
        this.#fail(error)
        if (!this.#inForce && !error.mayRetry) on.refused(agentFault(error, context.origin))
      },
    })
    this.client.watchJwtBundles({
      onMessage: (message) => {
        try {
          this.jwtBundles.set(readJwtBundles(message))
        } catch (error) {
          this.#fail(error)
        }
      },
      // The stream of X.509-SVIDs speaks of the connection for both.
      onFault: () => undefined,
    })
  }

  close(): void {
    for (const stop of this.#stops.splice(0)) stop()
    this.client.close()
  }

  #take(response: X509SvidResponse): void {
    try {
      const understood = understand(response, this.#inForce?.trust.current, this.#context)
      if (this.#inForce) this.#replace(this.#inForce, understood, response)
      else this.#begin(understood, response)
      if (understood.fault) this.#fail(understood.fault)
      else this.#recover()
    } catch (error) {
      this.#fail(error)
    }
  }

  #begin(understood: Understood, response: X509SvidResponse): void {
    const identity = new LiveValue(understood.identity)
    const trust = new LiveValue(understood.trust)
    this.#inForce = { identity, trust, trustKey: understood.trustKey, response }
    this.#stops = [this.#watchExpiry(identity), this.#watchFiles()]
    this.#onFirst(this.#inForce)
  }

  /** Trust first: a leaf of a new authority is of no use to whoever does not know the authority yet. */
  #replace(inForce: InForce, understood: Understood, response: X509SvidResponse): void {
    inForce.response = response
    if (understood.trustKey !== inForce.trustKey) {
      inForce.trustKey = understood.trustKey
      inForce.trust.set(understood.trust)
      const trustDomains = [...understood.trust.byTrustDomain.keys()]
      this.#options.onEvent({ kind: 'trust-changed', trustDomains })
    }
    if (understood.identity.thumbprint !== inForce.identity.current.thumbprint) {
      inForce.identity.set(understood.identity)
      this.#options.onEvent({ kind: 'rotated', identity: understood.identity })
    }
  }

  #fail(error: unknown): void {
    const fault = agentFault(error, this.#context.origin)
    if (this.fault.current?.message === fault.message) return
    this.fault.set(fault)
    if (this.#inForce) this.#options.onEvent({ kind: 'reload-failed', error: fault })
  }

  #recover(): void {
    if (this.fault.current === undefined) return
    this.fault.set(undefined)
    this.#options.onEvent({ kind: 'recovered' })
  }

  #watchExpiry(identity: LiveValue<WorkloadIdentity>): () => void {
    return watchExpiry(identity, this.#options.clock, (percent, secondsLeft) => {
      // The agent renews at about half of the life; that is worth a word only while it fails.
      if (percent < 100 && this.fault.current === undefined) return
      this.#options.onEvent({ kind: 'expiring', percent, secondsLeft })
    })
  }

  #watchFiles(): () => void {
    const { section, baseDirectory } = this.#context
    const files = trustFileNames(trustFilePaths(section, baseDirectory))
    if (files.length === 0) return () => undefined
    let stamp = stampOf(files)
    let cancel: () => void = () => undefined
    const look = (): void => {
      const next = stampOf(files)
      const changed = next !== stamp
      stamp = next
      if (changed && this.#inForce) this.#take(this.#inForce.response)
      cancel = this.#options.clock.after(checkFilesEveryMs, look)
    }
    cancel = this.#options.clock.after(checkFilesEveryMs, look)
    return () => cancel()
  }
}

/**
 * Opens the Workload API and waits for the first identity.
 *
 * @throws IdentityFileError when the address is wrong, the agent refuses for good, or none came in time
 */
export const openWorkloadApi = async (
  section: IdentitySection,
  workloadApi: WorkloadApiSection,
  options: WorkloadApiSourceOptions,
): Promise<WorkloadApiSource> => {
  const origin = workloadApi.socket || (options.endpointSocket ?? '')
  const { baseDirectory, clock } = options
  const context = { section, workloadApi, baseDirectory, origin, now: () => clock.now() }
  let follower: AgentFollower | undefined
  let cancelTimer: () => void = () => undefined
  try {
    const { identity, trust } = await new Promise<InForce>((resolve, reject) => {
      const made = new AgentFollower(context, options, { first: resolve, refused: reject })
      follower = made
      cancelTimer = clock.after(workloadApi.start_timeout, () =>
        reject(made.fault.current ?? agentFault(new Error('no answer in time'), origin)),
      )
    })
    const { fault, jwtBundles, client } = follower!
    return {
      identity,
      trust,
      fault,
      jwtBundles,
      fetchJwtSvids: (audiences) =>
        client.fetchJwtSvids({ audiences, spiffeId: identity.current.spiffeId.uri }),
      close: () => follower!.close(),
    }
  } catch (error) {
    follower?.close()
    throw error
  } finally {
    cancelTimer()
  }
}
